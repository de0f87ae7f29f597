// SPDX-License-Identifier: Apache-2.0
/* Who a person of the provider is here.
 *
 *   subject "ISSUER SUB" --known--> that user
 *        `--unknown--> a user who waits under the verified e-mail address, or under the sub
 *        `--none-----> refused, or made: named by verified e-mail, preferred_username or sub
 *
 * I1  a name gives nothing: a user with a password, or of another subject, is never the person's.
 * I2  an e-mail address counts only where the provider says that it was verified.
 * I3  with a role claim the role is what it says at each login; of the last administrator it stays.
 * Threads: workers.  Memory: the arena. */
#include "auth/oidc_priv.h"
#include "base/assert.h"
#include "base/log.h"

/* A claim of the ID token, or else of the userinfo endpoint. */
static yyjson_val *claim(const struct skep_oidc__person *who, const char *name)
{
    yyjson_val *v = yyjson_obj_get(who->token, name);
    return v ? v : yyjson_obj_get(who->info, name);
}

static skep_str claim_text(const struct skep_oidc__person *who, const char *name)
{
    yyjson_val *v = claim(who, name);
    return yyjson_is_str(v) ? (skep_str){yyjson_get_str(v), yyjson_get_len(v)} : SKEP_STR("");
}

/* I2: address and its "verified" of the same source. */
static skep_str verified_email(const struct skep_oidc__person *who)
{
    yyjson_val *from = yyjson_obj_get(who->token, "email") ? who->token : who->info;
    yyjson_val *verified = yyjson_obj_get(from, "email_verified");
    skep_str email = skep_jwt_text(from, "email");
    bool good = yyjson_is_true(verified) || yyjson_equals_str(verified, "true");
    return good && skep_auth__is_user_name(email) ? email : SKEP_STR("");
}

bool skep_oidc__wants_info(const struct skep_oidc *o, yyjson_val *token)
{
    const struct skep_oidc__person who = {.token = token};
    return verified_email(&who).n == 0 ||
           (o->cfg.role_claim && !yyjson_obj_get(token, o->cfg.role_claim));
}

/* --- roles ---------------------------------------------------------------------------------------
 */

static bool list_has(const struct skep_oidc_list *list, yyjson_val *v)
{
    for (unsigned i = 0; yyjson_is_str(v) && i < list->n; i++)
        if (skep_str_eq((skep_str){yyjson_get_str(v), yyjson_get_len(v)},
                        skep_str_c(list->items[i])))
            return true;
    return false;
}

static bool claim_has(yyjson_val *v, const struct skep_oidc_list *list)
{
    yyjson_val *one;
    size_t i, max;
    if (list_has(list, v))
        return true;
    yyjson_arr_foreach(v, i, max, one)
    {
        if (list_has(list, one))
            return true;
    }
    return false;
}

/* False: the person may not.  *ret_told: by the claim, not by default. */
static bool role_of(const struct skep_oidc *o, const struct skep_oidc__person *who,
                    enum skep_role *ret, bool *ret_told)
{
    yyjson_val *v = o->cfg.role_claim ? claim(who, o->cfg.role_claim) : NULL;
    bool admin = claim_has(v, &o->cfg.admins), viewer = claim_has(v, &o->cfg.viewers);
    *ret_told = o->cfg.role_claim != NULL;
    *ret = admin ? SKEP_ROLE_ADMIN : viewer ? SKEP_ROLE_VIEWER : o->cfg.role;
    return admin || viewer || o->cfg.has_role;
}

static bool domain_is_let_in(const struct skep_oidc *o, skep_str email)
{
    size_t at = email.n;
    while (at && email.p[at - 1] != '@')
        at--;
    for (unsigned i = 0; at && i < o->cfg.domains.n; i++)
        if (skep_str_ieq(skep_str_skip(email, at), skep_str_c(o->cfg.domains.items[i])))
            return true;
    return o->cfg.domains.n == 0;
}

/* --- the user ------------------------------------------------------------------------------------
 */

static skep_str name_for(const struct skep_oidc__person *who, struct skep_arena *arena)
{
    skep_str name = verified_email(who);
    if (!name.n)
        name = claim_text(who, "preferred_username");
    if (!name.n)
        name = claim_text(who, "sub");
    char *text =
        skep_cstr(arena, (skep_str){name.p, SKEP_MIN(name.n, (size_t)SKEP_USER_NAME_MAX_BYTES)});
    size_t n = SKEP_MIN(name.n, (size_t)SKEP_USER_NAME_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        if (!skep_auth__is_user_name((skep_str){text + i, 1}))
            text[i] = '-';
    return (skep_str){text, n};
}

static skep_rc make(struct skep_oidc *o, const struct skep_people *people, skep_str subject,
                    skep_str name, enum skep_role role, skep_err *err)
{
    const struct skep_state_user u = {.name = name, .role = role, .subject = subject};
    if (o->cfg.users != SKEP_OIDC_NEW)
        return skep_fail(
            err, SKEP_EFORBIDDEN,
            "nobody here is \"" SKEP_STRFMT
            "\": an administrator makes you a user first (skep user create " SKEP_STRFMT " --oidc)",
            SKEP_STRARG(name), SKEP_STRARG(name));
    skep_rc rc = skep_state_put_user(people->state, &u, (skep_bytes){0}, err);
    if (rc == SKEP_EEXISTS) /* I1 */
        return skep_fail(err, SKEP_EFORBIDDEN,
                         "the name \"" SKEP_STRFMT "\" is another user's here", SKEP_STRARG(name));
    return rc;
}

/* A user who waits for the person, else a new one. */
static skep_rc first_login(struct skep_oidc *o, const struct skep_people *people,
                           const struct skep_oidc__person *who, skep_str subject,
                           enum skep_role role, struct skep_arena *arena, bool *ret_made,
                           skep_err *err)
{
    const skep_str names[] = {verified_email(who), skep_jwt_text(who->token, "sub")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        if (!skep_auth__is_user_name(names[i]))
            continue;
        skep_rc rc = skep_state_bind_subject(people->state, names[i], subject, err);
        if (rc != SKEP_ENOTFOUND)
            return rc;
    }
    *ret_made = true;
    return make(o, people, subject, name_for(who, arena), role, err);
}

static skep_rc follow_role(const struct skep_people *people, struct skep_state_user *u,
                           enum skep_role role, bool *ret_changed, skep_err *err)
{
    if (u->role == role)
        return SKEP_OK;
    skep_rc rc = skep_auth_set_user(people, u->name, role, false, err);
    if (rc == SKEP_EINVAL) {
        skep_log(WARN, "the provider takes the last administrator's role, keeping it",
                 SKEP_K_STR("user", u->name));
        return SKEP_OK;
    }
    if (rc == SKEP_OK) {
        u->role = role;
        *ret_changed = true;
    }
    return rc;
}

skep_rc skep_oidc__user(struct skep_oidc *o, const struct skep_people *people,
                        const struct skep_oidc__person *who, struct skep_arena *arena,
                        struct skep_state_user *ret, struct skep_oidc_entered *ret_what,
                        skep_err *err)
{
    enum skep_role role;
    bool told = false;
    skep_str subject = skep_arena_printf(arena, "%s " SKEP_STRFMT, o->cfg.issuer,
                                         SKEP_STRARG(skep_jwt_text(who->token, "sub")));
    if (subject.n > SKEP_STATE_SUBJECT_MAX_BYTES)
        return skep_fail(err, SKEP_EFORBIDDEN, "issuer and subject are too long to be kept");
    if (!domain_is_let_in(o, verified_email(who)))
        return skep_fail(err, SKEP_EFORBIDDEN,
                         "your e-mail address is of no domain that is let in, or the provider has "
                         "not verified it");
    if (!role_of(o, who, &role, &told))
        return skep_fail(err, SKEP_EFORBIDDEN, "the provider gives you no role here (claim %s)",
                         o->cfg.role_claim ? o->cfg.role_claim : "");
    skep_rc rc = skep_state_find_subject(people->state, subject, arena, ret, err);
    if (rc == SKEP_ENOTFOUND) {
        SKEP_TRY(first_login(o, people, who, subject, role, arena, &ret_what->made, err));
        rc = skep_state_find_subject(people->state, subject, arena, ret, err);
    }
    SKEP_TRY(rc);
    if (ret->disabled_ns)
        return skep_fail(err, SKEP_EFORBIDDEN, "user \"" SKEP_STRFMT "\" is disabled",
                         SKEP_STRARG(ret->name));
    return told ? follow_role(people, ret, role, &ret_what->role_changed, err) : SKEP_OK;
}
