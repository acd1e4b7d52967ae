# The Lua library in the binary: lua/sluice/**/*.lua, the names of LuaJIT's bytecodes and trace errors
# (jit/vmdef.lua, of the LuaJIT that is linked), and the texts of runtime/shared/*.h for ffi.cdef.
#
# Run by `cmake -P` it writes the C file: OUTPUT, MODULES and HEADERS are lists of NAME=PATH.

# embed(RESULT KIND ENTRIES...): C text of one table of library_file.
function(embed result kind)
  set(texts "")
  set(table "const library_file library_${kind}s[] = {\n")
  set(number 0)
  foreach(entry ${ARGN})
    string(REGEX MATCH "^([^=]+)=(.*)$" matched ${entry})
    set(name ${CMAKE_MATCH_1})
    file(READ ${CMAKE_MATCH_2} bytes HEX)
    string(LENGTH "${bytes}" digits)
    math(EXPR len "${digits} / 2")
    string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
    string(REGEX REPLACE "(................................................................)"
                         "\\1\"\n\"" bytes "${bytes}")
    string(APPEND texts "static const char ${kind}_${number}[] = /* ${name} */\n\"${bytes}\";\n")
    string(APPEND table "    { \"${name}\", ${kind}_${number}, ${len} },\n")
    math(EXPR number "${number} + 1")
  endforeach()
  string(APPEND table "};\nconst size_t library_${kind}_count = ${number};\n")
  set(${result} "${texts}\n${table}\n" PARENT_SCOPE)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  embed(modules module ${MODULES})
  embed(headers header ${HEADERS})
  file(WRITE ${OUTPUT} "#include \"runtime/script/library.h\"\n\n${modules}${headers}")
  return()
endif()

set(lua_folder ${PROJECT_SOURCE_DIR}/lua)
file(GLOB_RECURSE lua_files CONFIGURE_DEPENDS RELATIVE ${lua_folder} ${lua_folder}/sluice/*.lua)
set(lua_modules "")
set(lua_inputs "")
foreach(lua_file ${lua_files})
  string(REGEX REPLACE "(/init)?\\.lua$" "" lua_module ${lua_file})
  string(REPLACE "/" "." lua_module ${lua_module})
  list(APPEND lua_modules "${lua_module}=${lua_folder}/${lua_file}")
  list(APPEND lua_inputs ${lua_folder}/${lua_file})
endforeach()

file(GLOB lua_vmdef ${LUAJIT_PREFIX}/share/luajit-2.*/jit/vmdef.lua)
if(NOT lua_vmdef)
  message(FATAL_ERROR "jit/vmdef.lua of LuaJIT not found below ${LUAJIT_PREFIX}/share "
                      "(Debian: libluajit-5.1-common)")
endif()
list(GET lua_vmdef -1 lua_vmdef)
list(APPEND lua_modules "jit.vmdef=${lua_vmdef}")
list(APPEND lua_inputs ${lua_vmdef})

set(lua_headers "")
foreach(lua_header types nested row vector sketch helper checkpoint compat source output step plan) # each needs only those before it
  list(APPEND lua_headers "${lua_header}.h=${PROJECT_SOURCE_DIR}/runtime/shared/${lua_header}.h")
  list(APPEND lua_inputs ${PROJECT_SOURCE_DIR}/runtime/shared/${lua_header}.h)
endforeach()

set(lua_embedded ${PROJECT_BINARY_DIR}/lua_library.c)
add_custom_command(
  OUTPUT ${lua_embedded}
  COMMAND ${CMAKE_COMMAND} "-DOUTPUT=${lua_embedded}" "-DMODULES=${lua_modules}"
          "-DHEADERS=${lua_headers}" -P ${PROJECT_SOURCE_DIR}/cmake/lua.cmake
  DEPENDS ${lua_inputs} ${PROJECT_SOURCE_DIR}/cmake/lua.cmake
  COMMENT "Embedding the Lua library"
  VERBATIM)

target_sources(sl_script PRIVATE ${lua_embedded})
# Lua finds these by name at run time: the linker must not leave them out.
target_link_options(sl_script INTERFACE "LINKER:--undefined=sl_text_copy")
