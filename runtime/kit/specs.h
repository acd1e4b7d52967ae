#pragma once
/* Running busted specs in this process: a Lua state of its own, unrestricted, with the library and
 * the kit's modules in it. thread: main. */

typedef struct specs_options {
    const char *library;      /* folder of sluice/init.lua (SLUICE_LUA); NULL: built in */
    const char *const *words; /* files, folders and options of busted; borrowed */
    int count;
} specs_options;

/* Run them; `code`: 0 all passed, 1 some did not, 2 they could not be run (said on stderr). */
struct err *specs_run(const specs_options *options, int *code);
