#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/mem.h"
#include "state/store_s3.h"

static char *copy(const char *text) { return mem_copy_text(text, strlen(text)); }

/* A variable of the environment; NULL: not set, or empty. Owned. */
static char *from_environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? copy(value) : NULL;
}

static char *first_of(char *option, const char *const *variables) {
    for (; !option && *variables; variables++) option = from_environment(*variables);
    return option;
}

void s3_place_done(s3_place *p) {
    char *const texts[] = { p->bucket, p->prefix, p->base, p->region, p->access_key,
                            p->secret_key, p->session_token, p->ca_file };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) mem_free(texts[i]);
    *p = (s3_place){ 0 };
}

static bool is_bucket(const char *name, size_t len) {
    if (len < 3 || len > 63 || !isalnum((unsigned char)name[0])) return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i])) return false;
    }
    return true;
}

static err *read_url(const char *url, s3_place *p) {
    const char *rest = strncmp(url, "s3://", 5) ? "" : url + 5;
    size_t bucket_len = strcspn(rest, "/");
    if (!is_bucket(rest, bucket_len)) {
        return err_new(ERR_PLAN, "checkpoint of an s3: store: no bucket's name behind `s3://`, "
                                 "wanted s3://BUCKET/FOLDER (3 to 63 letters, digits, - and .; "
                                 "keys are options of their own)");
    }
    const char *folder = rest + bucket_len;
    while (*folder == '/') folder++;
    size_t len = strlen(folder);
    while (len && folder[len - 1] == '/') len--;
    p->bucket = mem_copy_text(rest, bucket_len);
    p->prefix = mem_copy_text(folder, len);
    if (!len) return NULL;
    if (!store_is_name(p->prefix)) {
        return err_new(ERR_PLAN, "checkpoint `s3://%s/..`: its folder holds characters that are "
                                 "not taken, wanted letters, digits and - . _ /",
                       p->bucket);
    }
    p->prefix = mem_realloc(p->prefix, len + 2);
    memcpy(p->prefix + len, "/", 2);
    return NULL;
}

/* The value of `name = value`; NULL: another line. */
static char *value_in_line(char *line, const char *name) {
    char *equals = strchr(line, '=');
    if (!equals) return NULL;
    char *end = equals;
    while (end > line && isspace((unsigned char)end[-1])) end--;
    if ((size_t)(end - line) != strlen(name) || memcmp(line, name, strlen(name))) return NULL;
    char *value = equals + 1 + strspn(equals + 1, " \t");
    value[strcspn(value, " \t\r\n")] = '\0';
    return *value ? copy(value) : NULL;
}

static void take_line(char *line, s3_place *p) {
    char **const into[] = { &p->access_key, &p->secret_key, &p->session_token };
    static const char *const names[] = { "aws_access_key_id", "aws_secret_access_key",
                                         "aws_session_token" };
    for (int i = 0; i < 3; i++) {
        char *value = *into[i] ? NULL : value_in_line(line, names[i]);
        if (value) *into[i] = value;
    }
}

/* Keys of a profile in Amazon's file of credentials. That there is none is no error. */
static void read_credentials_file(s3_place *p) {
    char path[512], line[2048], wanted[128];
    const char *given = getenv("AWS_SHARED_CREDENTIALS_FILE"), *home = getenv("HOME");
    const char *profile = getenv("AWS_PROFILE");
    if (given)
        snprintf(path, sizeof path, "%s", given);
    else
        snprintf(path, sizeof path, "%s/.aws/credentials", home ? home : "");
    snprintf(wanted, sizeof wanted, "[%s]", profile && *profile ? profile : "default");
    FILE *file = fopen(path, "re");
    bool is_inside = false;
    while (file && fgets(line, sizeof line, file)) {
        if (line[0] == '[')
            is_inside = !strncmp(line, wanted, strlen(wanted));
        else if (is_inside)
            take_line(line, p);
    }
    if (file) fclose(file);
}

static err *read_keys(const store_config *config, s3_place *p) {
    p->access_key = store_option_text(config, "access_key");
    p->secret_key = store_option_text(config, "secret_key");
    p->session_token = store_option_text(config, "session_token");
    if (!p->access_key && !p->secret_key) {
        p->access_key = from_environment("AWS_ACCESS_KEY_ID");
        p->secret_key = from_environment("AWS_SECRET_ACCESS_KEY");
        if (!p->session_token) p->session_token = from_environment("AWS_SESSION_TOKEN");
    }
    if (!p->access_key && !p->secret_key) read_credentials_file(p);
    if (p->access_key && p->secret_key) return NULL;
    return err_new(ERR_PLAN, "checkpoint `s3://%s/%s`: %s key; looked for the options access_key "
                             "and secret_key, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and "
                             "the profile of ~/.aws/credentials (AWS_PROFILE)",
                   p->bucket, p->prefix,
                   p->access_key   ? "no secret"
                   : p->secret_key ? "a secret without its access"
                                   : "no access");
}

/* Amazon's own hosts take the bucket in the host's name, where it has no dot in it (certificates
 * are of *.s3.REGION.amazonaws.com); other servers in the path, unless told otherwise. */
static err *make_base(const store_config *config, const char *endpoint, s3_place *p) {
    char own[160];
    bool is_path = store_option_flag(config, "path_style", endpoint || strchr(p->bucket, '.'));
    if (!endpoint) {
        snprintf(own, sizeof own, "https://s3.%s.amazonaws.com%s", p->region,
                 strncmp(p->region, "cn-", 3) ? "" : ".cn");
        endpoint = own;
    }
    const char *host = strstr(endpoint, "://");
    bool is_http = !strncmp(endpoint, "http://", 7) || !strncmp(endpoint, "https://", 8);
    if (!is_http || !host[3] || strpbrk(host + 3, "@?# ")) {
        return err_new(ERR_PLAN, "checkpoint `s3://%s/%s`: its endpoint is no address, wanted "
                                 "http://HOST:PORT or https://HOST",
                       p->bucket, p->prefix);
    }
    host += 3;
    size_t len = strlen(host);
    while (len && host[len - 1] == '/') len--;
    buf base = { 0 };
    buf_put(&base, endpoint, (size_t)(host - endpoint));
    if (!is_path) buf_printf(&base, "%s.", p->bucket);
    buf_put(&base, host, len);
    buf_put_text(&base, "/");
    if (is_path) buf_printf(&base, "%s/", p->bucket);
    p->base = mem_copy_text(base.data, base.len);
    buf_done(&base);
    return NULL;
}

err *s3_place_read(const store_config *config, s3_place *p) {
    *p = (s3_place){ 0 };
    err *e = read_url(config->url, p);
    if (!e) e = read_keys(config, p);
    if (!e) {
        p->region = first_of(store_option_text(config, "region"),
                             (const char *const[]){ "AWS_REGION", "AWS_DEFAULT_REGION", NULL });
        if (!p->region) p->region = copy("us-east-1");
        p->ca_file = from_environment("AWS_CA_BUNDLE");
        char *endpoint = first_of(
            store_option_text(config, "endpoint"),
            (const char *const[]){ "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", NULL });
        e = make_base(config, endpoint, p);
        mem_free(endpoint);
    }
    if (e) s3_place_done(p);
    return e;
}
