#include "runtime/codec/name_tree.h"

#include "runtime/base/mem.h"

/* Mix the ends of the name and its length. Names are few and declared or capped: no need for
 * more. */
static uint32_t hash(const char *name, size_t len) {
    uint64_t a = 0, b = 0;
    size_t part = len < 8 ? len : 8;
    if (len) memcpy(&a, name, part);
    if (len) memcpy(&b, name + len - part, part);
    uint64_t mixed = (a ^ (b << 29 | b >> 35) ^ len) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

static name_node *node_new(const char *name, size_t len, uint32_t id) {
    name_node *node = mem_zalloc(1, sizeof *node);
    node->name = mem_copy_text(len ? name : "", len);
    node->len = (uint32_t)len;
    node->id = id;
    return node;
}

/* 0xff is in no valid UTF-8. */
static void never_match(name_node *node) {
    node->head[0] = node->mask[0] = UINT64_MAX;
}

name_node *name_tree_new(void) {
    name_node *node = node_new("", 0, NAME_UNDECLARED);
    never_match(node);
    node->behind = node->first = node;
    return node;
}

name_node *name_root_new(const char *mark, name_node *above) {
    name_node *node = node_new(mark, strlen(mark), NAME_UNDECLARED);
    never_match(node);
    node->behind = node->first = node;
    node->parent = above;
    return node;
}

void name_tree_free(name_node *node) {
    if (!node) return;
    for (uint32_t i = 0; i < node->slot_count; i++) name_tree_free(node->slots[i]);
    mem_free(node->slots);
    mem_free((char *)node->name);
    mem_free(node);
}

name_node *name_find(const name_node *parent, const char *name, size_t len) {
    if (!parent->slots) return NULL;
    uint32_t mask = parent->slot_count - 1;
    for (uint32_t i = hash(name, len) & mask; parent->slots[i]; i = (i + 1) & mask) {
        name_node *node = parent->slots[i];
        if (node->len == len && !memcmp(node->name, name, len)) return node;
    }
    return NULL;
}

static void insert(name_node *parent, name_node *node) {
    uint32_t mask = parent->slot_count - 1;
    uint32_t i = hash(node->name, node->len) & mask;
    while (parent->slots[i]) i = (i + 1) & mask;
    parent->slots[i] = node;
}

static void grow(name_node *parent) {
    name_node **old = parent->slots;
    uint32_t old_count = parent->slot_count;
    parent->slot_count = old_count ? old_count * 2 : 8;
    parent->slots = mem_zalloc(parent->slot_count, sizeof *parent->slots);
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i]) insert(parent, old[i]);
    mem_free(old);
}

/* Does the name stand in a document as it is? */
static bool is_plain(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (name[i] == '"' || name[i] == '\\' || (unsigned char)name[i] < 0x20) return false;
    return true;
}

name_node *name_add(name_node *parent, const char *name, size_t len, uint32_t id) {
    name_node *node = node_new(name, len, id);
    char head[sizeof node->head] = { 0 }, mask[sizeof node->mask] = { 0 };
    size_t count = len < sizeof head ? len : sizeof head;
    if (count) memcpy(head, name, count);
    memset(mask, 0xff, count);
    if (count < sizeof head) {
        head[count] = '"';
        mask[count] = (char)0xff;
    }
    memcpy(node->head, head, sizeof head);
    memcpy(node->mask, mask, sizeof mask);
    if (!is_plain(name, len)) never_match(node);
    node->parent = parent;
    node->behind = node;
    if (!parent->child_count) parent->first = node;
    if (parent->slot_count < 2 * (parent->child_count + 1)) grow(parent);
    parent->child_count++;
    insert(parent, node);
    return node;
}
