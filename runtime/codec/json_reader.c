#include "runtime/codec/json_reader.h"

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/codec/bad.h"

enum { DRIFT_NAME_BYTES = 256 }; /* a longer path is counted among the others */

void json_names_init(json_names *names) {
    names->value = name_tree_new();
    names->key = name_tree_new();
    names->other = name_tree_new();
}

void json_names_done(json_names *names) {
    for (uint32_t i = 0; i < names->drift_count; i++) mem_free((char *)names->drift[i].path);
    for (uint32_t i = 0; i < names->inner_count; i++) name_tree_free(names->inner[i]);
    mem_free(names->inner);
    name_tree_free(names->value);
    name_tree_free(names->key);
    name_tree_free(names->other);
}

/* How paths name what is inside of a value. */
static const char *mark_of(const field *f) {
    if (f->type == SL_LIST) return "[]";
    return f->type == SL_MAP ? "*" : "";
}

void json_names_inside(json_names *names, field *f, name_node *above) {
    const sl_shape *shape = f->plan->column.shape;
    name_node *root = name_root_new(mark_of(f), above);
    names->inner = mem_realloc(names->inner, (names->inner_count + 1) * sizeof *names->inner);
    names->inner[names->inner_count++] = root;
    f->names = root;
    for (uint32_t i = 0; i < shape->item_count; i++) {
        field *item = &f->items[i];
        const sl_string *name = &item->plan->column.name;
        name_node *node = root;
        if (f->type == SL_STRUCT) node = name_add(root, name->data, name->len, i);
        item->node = node;
        if (item->is_block) json_names_inside(names, item, node);
    }
}

/* Append the path from the root to `node`. */
static void put_path(const json_names *names, buf *out, const name_node *node) {
    if (node == names->value) return;
    if (node == names->key) {
        buf_put_text(out, "key:");
        return;
    }
    put_path(names, out, node->parent);
    if (!node->len) return;
    if (node->parent->parent && node->name[0] != '[') buf_put_char(out, '.');
    buf_put(out, node->name, node->len);
}

/* A name that nobody declared and that was not seen before: remember it while there is room. */
static name_node *learn(json_reader *r, name_node *parent, sl_string name) {
    json_names *names = r->names;
    if (names->drift_count == DRIFT_MAX_NAMES || name.len > DRIFT_NAME_BYTES) {
        names->others++;
        return names->other;
    }
    name_node *node = name_add(parent, name.data, name.len, NAME_UNDECLARED);
    node->drift = names->drift_count++;
    buf path;
    buf_init(&path);
    put_path(names, &path, node);
    names->drift[node->drift] = (drift_name){
        .path = mem_copy_text(path.data, path.len),
        .offset = r->record->offset,
        .partition = r->record->partition,
    };
    buf_done(&path);
    return node;
}

name_node *json_find_name(json_reader *r, name_node *parent) {
    sl_string name;
    if (!json_walk_string(&r->walk, r->strings, &name)) return NULL;
    name_node *node = name_find(parent, name.data, name.len);
    return node ? node : learn(r, parent, name);
}

name_node *json_refuse_name(json_walk *w, const uint32_t *at) {
    bool is_name = w->json[*at] == '"';
    w->at = at + is_name;
    json_walk_refuse(w, is_name ? "a colon" : "a name in quotes");
    return NULL;
}

bool json_refuse_under(json_reader *r, const uint32_t *token) {
    json_walk at_name = r->walk;
    at_name.at = token;
    return bad_under(r->walk.bad, r->walk.json + *token + 1, json_walk_token_len(&at_name) - 2);
}
