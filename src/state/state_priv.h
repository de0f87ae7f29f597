// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of src/state: the connection, its statements, small SQLite wrappers. */
#pragma once

#include <sqlite3.h>

#include "os/thread.h"
#include "state/logs_index.h"
#include "state/state.h"

/* What skep_state__item_read reads. */
#define SKEP_STATE__ITEM_COLUMNS                                                                   \
    "id, counter, environment, stage, fingerprint, title, type, culprit, dataset, framework,"      \
    " status, level, level_set, title_set, owner, merged_into, total, since_activated, first_ns,"  \
    " last_ns, first_seq, first_ordinal, last_seq, last_ordinal, activating_seq,"                  \
    " activating_ordinal, activated_ns, resolved_ns, muted_ns, resolved_in, first_version,"        \
    " last_version, mute_until_ns, mute_until_total"
/* ?1 environment ?2 statuses ?3 level ?4 stage ?5 owner ?6 words ?7 seen after ?8 new after
 * ?9 members of ?13 levels ?14 stages and ?15 ids, arrays of JSON, "" = all */
#define SKEP_STATE__ITEM_WHERE                                                                     \
    " FROM item WHERE environment = ?1 AND merged_into = ?9"                                       \
    " AND (?2 = 0 OR (?2 >> status) & 1) AND level >= ?3 AND (?4 = '' OR stage = ?4)"              \
    " AND (?5 = '' OR owner = iif(?5 = '-', '', ?5)) AND last_ns >= ?7"                            \
    " AND (?8 = 0 OR first_ns >= ?8 OR activated_ns >= ?8)"                                        \
    " AND (?13 = 0 OR (?13 >> (level / 10)) & 1)"                                                  \
    " AND (?14 = '' OR stage IN (SELECT value FROM json_each(iif(?14 = '', '[]', ?14))))"          \
    " AND (?15 = '' OR id IN (SELECT value FROM json_each(iif(?15 = '', '[]', ?15))))"             \
    " AND (?6 = '' OR has_words(title || ' ' || type || ' ' || culprit || ' ' || dataset, ?6))"

/* Prepared statements: X(ID, SQL) */
#define SKEP_STATE__STATEMENTS(X)                                                                  \
    X(QUERY_FIND, "SELECT id FROM query WHERE environment = ?3 AND dataset = ?1 AND spec = ?2")    \
    X(QUERY_PUT, "INSERT INTO query(id, dataset, spec, created_ns, environment)"                   \
                 " VALUES(?1, ?2, ?3, ?4, ?5)")                                                    \
    X(QUERY_GET, "SELECT id, dataset, spec, created_ns FROM query"                                 \
                 " WHERE id = ?1 AND environment = ?2")                                            \
    X(RESULT_PUT, "INSERT INTO result(id, query_id, options, status, created_ns, bytes)"           \
                  " VALUES(?1, ?2, ?3, 0, ?4, 0)")                                                 \
    X(RESULT_FINISH, "UPDATE result SET status = ?2, data = ?3, finished_ns = ?4,"                 \
                     " bytes = length(?3) WHERE id = ?1")                                          \
    X(RESULT_GET, "SELECT id, query_id, options, status, data, created_ns, finished_ns"            \
                  " FROM result WHERE id = ?1")                                                    \
    X(RESULT_SUM, "SELECT count(*), coalesce(sum(bytes), 0) FROM result")                          \
    X(RESULT_DROP, "DELETE FROM result WHERE seq IN"                                               \
                   " (SELECT seq FROM result WHERE status != 0 ORDER BY seq LIMIT 1)")             \
    X(DATASET_PUT, "INSERT OR IGNORE INTO dataset(slug, name, description, created_ns,"            \
                   " environment) VALUES(?1, ?2, ?3, ?4, ?5)")                                     \
    X(DATASET_GET, "SELECT slug, name, description, created_ns FROM dataset"                       \
                   " WHERE slug = ?1 AND environment = ?2")                                        \
    X(DATASET_LIST, "SELECT slug, name, description, created_ns FROM dataset"                      \
                    " WHERE environment = ?1 ORDER BY slug")                                       \
    X(COLUMN_GET, "SELECT id, created_ns FROM \"column\" WHERE dataset = ?1 AND name = ?2")        \
    X(COLUMN_PUT, "INSERT INTO \"column\"(id, dataset, name, created_ns) VALUES(?1, ?2, ?3, ?4)")  \
    X(LEDGER_LIST, "SELECT key, n FROM ledger")                                                    \
    X(LEDGER_ADD, "INSERT INTO ledger(key, n) VALUES(?1, ?2)"                                      \
                  " ON CONFLICT(key) DO UPDATE SET n = n + excluded.n")                            \
    X(LEDGER_CLEAR, "DELETE FROM ledger")                                                          \
    X(ENVIRONMENT_LIST, "SELECT id, slug, name, description, color, created_ns, delete_protected"  \
                        " FROM environment ORDER BY slug")                                         \
    X(ENVIRONMENT_FIND, "SELECT delete_protected FROM environment WHERE slug = ?1")                \
    X(ENVIRONMENT_COUNT, "SELECT count(*) FROM environment")                                       \
    X(ENVIRONMENT_PUT, "INSERT INTO environment(id, slug, name, description, color, created_ns,"   \
                       " delete_protected) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                    \
    X(ENVIRONMENT_SET, "UPDATE environment SET description = ?2, color = ?3,"                      \
                       " delete_protected = ?4 WHERE slug = ?1")                                   \
    X(ENVIRONMENT_DROP, "DELETE FROM environment WHERE slug = ?1")                                 \
    X(KEY_LIST, "SELECT number, id, name, environment, rights, token_hash, rollbar_hash,"          \
                " access_key, sealed, created_ns, expires_ns, revoked_ns, disabled,"               \
                " events_per_minute, bytes_per_minute, events_per_day, bytes_per_day,"             \
                " last_used_ns, day, day_events, day_bytes FROM api_key ORDER BY number")          \
    X(KEY_COUNT, "SELECT count(*) FROM api_key")                                                   \
    X(KEY_FORGET, "DELETE FROM api_key WHERE number IN (SELECT number FROM api_key"                \
                  " WHERE revoked_ns != 0 ORDER BY revoked_ns LIMIT 1)")                           \
    X(KEY_PUT, "INSERT INTO api_key(id, name, environment, rights, token_hash, rollbar_hash,"      \
               " access_key, sealed, created_ns, expires_ns, events_per_minute, bytes_per_minute," \
               " events_per_day, bytes_per_day)"                                                   \
               " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")             \
    X(KEY_REVOKE, "UPDATE api_key SET revoked_ns = iif(revoked_ns = 0, ?2, revoked_ns)"            \
                  " WHERE id = ?1")                                                                \
    X(KEY_REVOKE_ALL, "UPDATE api_key SET revoked_ns = ?2"                                         \
                      " WHERE environment = ?1 AND revoked_ns = 0")                                \
    X(KEY_SET, "UPDATE api_key SET name = ?2, disabled = ?3 WHERE id = ?1 AND revoked_ns = 0")     \
    X(KEY_USE, "UPDATE api_key SET last_used_ns = max(last_used_ns, ?2), day = ?3,"                \
               " day_events = ?4, day_bytes = ?5 WHERE number = ?1")                               \
    X(USER_LIST, "SELECT number, name, role, password, created_ns, disabled_ns, last_login_ns,"    \
                 " subject FROM user ORDER BY name")                                               \
    X(USER_GET, "SELECT number, name, role, password, created_ns, disabled_ns, last_login_ns,"     \
                " subject FROM user WHERE name = ?1")                                              \
    X(USER_SUBJECT, "SELECT number, name, role, password, created_ns, disabled_ns,"                \
                    " last_login_ns, subject FROM user WHERE subject = ?1")                        \
    X(USER_BIND, "UPDATE user SET subject = ?2"                                                    \
                 " WHERE name = ?1 AND subject = '' AND password = ''")                            \
    X(USER_NAMED, "SELECT count(*) FROM user WHERE name = ?1")                                     \
    X(USER_COUNT, "SELECT count(*) FROM user")                                                     \
    X(USER_ADMINS, "SELECT count(*) FROM user WHERE role = 2 AND disabled_ns = 0"                  \
                   " AND (password != '' OR subject != '')")                                       \
    X(USER_PUT, "INSERT INTO user(name, role, password, created_ns, subject)"                      \
                " VALUES(?1, ?2, ?3, ?4, ?5)")                                                     \
    X(USER_SET, "UPDATE user SET role = ?2, disabled_ns = ?3 WHERE number = ?1")                   \
    X(USER_PASSWORD, "UPDATE user SET password = ?2 WHERE number = ?1")                            \
    X(USER_LOGIN, "UPDATE user SET last_login_ns = ?2 WHERE number = ?1 AND disabled_ns = 0")      \
    X(SESSION_COUNT, "SELECT count(*) FROM session")                                               \
    X(SESSION_LIST, "SELECT hash, user, user.name, user.role, session.created_ns, seen_ns,"        \
                    " expires_ns FROM session JOIN user ON user.number = session.user"             \
                    " WHERE user.disabled_ns = 0")                                                 \
    X(SESSION_PUT, "INSERT INTO session(hash, user, created_ns, seen_ns, expires_ns)"              \
                   " VALUES(?1, ?2, ?3, ?3, ?4)")                                                  \
    X(SESSION_SEE, "UPDATE session SET seen_ns = max(seen_ns, ?2) WHERE hash = ?1")                \
    X(SESSION_DROP, "DELETE FROM session WHERE hash = ?1")                                         \
    X(SESSION_DROP_OF, "DELETE FROM session WHERE user = ?1")                                      \
    X(SESSION_DROP_OLD, "DELETE FROM session WHERE expires_ns <= ?1")                              \
    X(SESSION_DROP_MANY, "DELETE FROM session WHERE hash IN"                                       \
                         " (SELECT hash FROM session ORDER BY seen_ns DESC LIMIT -1 OFFSET ?1)")   \
    X(LINK_PUT, "INSERT INTO link(hash, role, created_ns, expires_ns) VALUES(?1, ?2, ?3, ?4)")     \
    X(LINK_GET, "SELECT role FROM link WHERE hash = ?1 AND used_ns = 0 AND expires_ns > ?2")       \
    X(LINK_USE, "UPDATE link SET used_ns = ?2 WHERE hash = ?1")                                    \
    X(LINK_DROP_MANY, "DELETE FROM link WHERE hash IN"                                             \
                      " (SELECT hash FROM link ORDER BY created_ns DESC LIMIT -1 OFFSET ?1)")      \
    X(AUDIT_PUT, "INSERT INTO audit(at_ns, who, what, target, address)"                            \
                 " VALUES(?1, ?2, ?3, ?4, ?5)")                                                    \
    X(AUDIT_DROP, "DELETE FROM audit WHERE number <= ?1")                                          \
    X(AUDIT_DROP_FAILED, "DELETE FROM audit WHERE number IN (SELECT number FROM audit"             \
                         " WHERE what = 'login.failed' ORDER BY number DESC LIMIT -1 OFFSET ?1)")  \
    X(AUDIT_LIST, "SELECT number, at_ns, who, what, target, address FROM audit"                    \
                  " WHERE number < ?1 ORDER BY number DESC LIMIT ?2")                              \
    X(XRAY_LIST, "SELECT name, body, created_ns, modified_ns FROM xray_item"                       \
                 " WHERE environment = ?1 AND kind = ?2 ORDER BY name")                            \
    X(XRAY_GET, "SELECT name, body, created_ns, modified_ns FROM xray_item"                        \
                " WHERE environment = ?1 AND kind = ?2 AND name = ?3")                             \
    X(XRAY_COUNT, "SELECT count(*) FROM xray_item WHERE environment = ?1 AND kind = ?2")           \
    X(XRAY_PUT, "INSERT INTO xray_item(environment, kind, name, body, created_ns, modified_ns)"    \
                " VALUES(?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT(environment, kind, name)"             \
                " DO UPDATE SET body = excluded.body, modified_ns = excluded.modified_ns")         \
    X(XRAY_DROP, "DELETE FROM xray_item WHERE environment = ?1 AND kind = ?2 AND name = ?3")       \
    X(XRAY_DROP_OLDEST, "DELETE FROM xray_item WHERE seq = (SELECT min(seq) FROM xray_item"        \
                        " WHERE environment = ?1 AND kind = ?2)")                                  \
    X(XRAY_MODIFIED, "SELECT coalesce(max(modified_ns), 0) FROM xray_item"                         \
                     " WHERE environment = ?1 AND kind IN (?2, ?3)")                               \
    X(XRAY_TAG_LIST, "SELECT key, value FROM xray_tag"                                             \
                     " WHERE environment = ?1 AND kind = ?2 AND name = ?3 ORDER BY key")           \
    X(XRAY_TAG_PUT, "INSERT INTO xray_tag(environment, kind, name, key, value)"                    \
                    " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(environment, kind, name, key)"        \
                    " DO UPDATE SET value = excluded.value")                                       \
    X(XRAY_TAG_COUNT, "SELECT count(*) FROM xray_tag"                                              \
                      " WHERE environment = ?1 AND kind = ?2 AND name = ?3")                       \
    X(XRAY_TAG_DROP, "DELETE FROM xray_tag"                                                        \
                     " WHERE environment = ?1 AND kind = ?2 AND name = ?3 AND key = ?4")           \
    X(XRAY_TAG_DROP_ALL, "DELETE FROM xray_tag"                                                    \
                         " WHERE environment = ?1 AND kind = ?2 AND name = ?3")                    \
    X(XRAY_WINDOW_ADD,                                                                             \
      "INSERT INTO xray_window(environment, start_ns, rule, requests, borrowed, sampled)"          \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(environment, start_ns, rule) DO UPDATE SET"     \
      " requests = requests + excluded.requests, borrowed = borrowed + excluded.borrowed,"         \
      " sampled = sampled + excluded.sampled")                                                     \
    X(XRAY_WINDOW_FOLD, "DELETE FROM xray_window WHERE start_ns < ?1")                             \
    X(XRAY_WINDOW_LIST, "SELECT start_ns, rule, requests, borrowed, sampled FROM xray_window"      \
                        " WHERE environment = ?1 AND start_ns >= ?2 ORDER BY start_ns, rule")      \
    X(XRAY_ENVIRONMENT, "DELETE FROM xray_item WHERE environment = ?1")                            \
    X(XRAY_TAG_ENVIRONMENT, "DELETE FROM xray_tag WHERE environment = ?1")                         \
    X(XRAY_WINDOW_ENVIRONMENT, "DELETE FROM xray_window WHERE environment = ?1")                   \
    X(LOG_GROUP_LIST, "SELECT environment, name, created_ns, retention_days, class, protected"     \
                      " FROM log_group")                                                           \
    X(LOG_GROUP_PUT, "INSERT INTO log_group(environment, name, created_ns, retention_days, class," \
                     " protected) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                 \
    X(LOG_GROUP_SET, "UPDATE log_group SET retention_days = ?3, protected = ?4"                    \
                     " WHERE environment = ?1 AND name = ?2")                                      \
    X(LOG_GROUP_DROP, "DELETE FROM log_group WHERE environment = ?1 AND name = ?2")                \
    X(LOG_STREAM_LIST, "SELECT environment, grp, name, created_ns FROM log_stream")                \
    X(LOG_STREAM_PUT, "INSERT INTO log_stream(environment, grp, name, created_ns)"                 \
                      " VALUES(?1, ?2, ?3, ?4)")                                                   \
    X(LOG_STREAM_DROP, "DELETE FROM log_stream WHERE environment = ?1 AND grp = ?2 AND name = ?3") \
    X(LOG_STREAM_DROP_ALL, "DELETE FROM log_stream WHERE environment = ?1 AND grp = ?2")           \
    X(LOG_ITEM_LIST, "SELECT grp, name, body, created_ns, modified_ns, at_seq, at_ordinal,"        \
                     " environment FROM log_item WHERE environment = ?1 AND kind = ?2"             \
                     " AND (?3 = '' OR grp = ?3) ORDER BY grp, name")                              \
    X(LOG_ITEM_LIST_ALL, "SELECT grp, name, body, created_ns, modified_ns, at_seq, at_ordinal,"    \
                         " environment FROM log_item WHERE kind = ?2")                             \
    X(LOG_ITEM_GET, "SELECT grp, name, body, created_ns, modified_ns, at_seq, at_ordinal,"         \
                    " environment FROM log_item"                                                   \
                    " WHERE environment = ?1 AND kind = ?2 AND grp = ?3 AND name = ?4")            \
    X(LOG_ITEM_MOVE, "UPDATE log_item SET at_seq = ?5, at_ordinal = ?6 WHERE environment = ?1"     \
                     " AND kind = ?2 AND grp = ?3 AND name = ?4 AND created_ns = ?7")              \
    X(LOG_ITEM_COUNT, "SELECT count(*) FROM log_item"                                              \
                      " WHERE environment = ?1 AND kind = ?2 AND grp = ?3")                        \
    X(LOG_ITEM_PUT, "INSERT INTO log_item(environment, kind, grp, name, body, created_ns,"         \
                    " modified_ns, at_seq, at_ordinal)"                                            \
                    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)"                                  \
                    " ON CONFLICT(environment, kind, grp, name)"                                   \
                    " DO UPDATE SET body = excluded.body, modified_ns = excluded.modified_ns")     \
    X(LOG_ITEM_DROP, "DELETE FROM log_item"                                                        \
                     " WHERE environment = ?1 AND kind = ?2 AND grp = ?3 AND name = ?4")           \
    X(LOG_ITEM_DROP_OLDEST, "DELETE FROM log_item WHERE seq = (SELECT min(seq) FROM log_item"      \
                            " WHERE environment = ?1 AND kind = ?2 AND grp = ?3)")                 \
    X(LOG_ITEM_DROP_OF, "DELETE FROM log_item WHERE environment = ?1 AND grp = ?2")                \
    X(LOG_TAG_LIST, "SELECT key, value FROM log_tag WHERE environment = ?1 AND resource = ?2"      \
                    " ORDER BY key")                                                               \
    X(LOG_TAG_PUT, "INSERT INTO log_tag(environment, resource, key, value)"                        \
                   " VALUES(?1, ?2, ?3, ?4) ON CONFLICT(environment, resource, key)"               \
                   " DO UPDATE SET value = excluded.value")                                        \
    X(LOG_TAG_COUNT, "SELECT count(*) FROM log_tag WHERE environment = ?1 AND resource = ?2")      \
    X(LOG_TAG_DROP, "DELETE FROM log_tag WHERE environment = ?1 AND resource = ?2 AND key = ?3")   \
    X(LOG_TAG_DROP_ALL, "DELETE FROM log_tag WHERE environment = ?1 AND resource = ?2")            \
    X(LOG_GROUP_ENVIRONMENT, "DELETE FROM log_group WHERE environment = ?1")                       \
    X(LOG_STREAM_ENVIRONMENT, "DELETE FROM log_stream WHERE environment = ?1")                     \
    X(LOG_ITEM_ENVIRONMENT, "DELETE FROM log_item WHERE environment = ?1")                         \
    X(LOG_TAG_ENVIRONMENT, "DELETE FROM log_tag WHERE environment = ?1")                           \
    X(ITEM_GET, "SELECT " SKEP_STATE__ITEM_COLUMNS " FROM item WHERE environment = ?1"             \
                " AND ((?2 != 0 AND id = ?2) OR (?2 = 0 AND counter = ?3))")                       \
    X(ITEM_BY_ID, "SELECT " SKEP_STATE__ITEM_COLUMNS " FROM item WHERE id = ?1")                   \
    X(ITEM_FIND, "SELECT " SKEP_STATE__ITEM_COLUMNS " FROM item WHERE environment = ?1"            \
                 " AND stage = ?2 AND fingerprint = ?3")                                           \
    X(ITEM_ALL, "SELECT count(*)" SKEP_STATE__ITEM_WHERE)                                          \
    X(ITEM_LIST, "SELECT " SKEP_STATE__ITEM_COLUMNS SKEP_STATE__ITEM_WHERE                         \
                 " ORDER BY CASE ?10 WHEN 0 THEN last_ns WHEN 1 THEN first_ns WHEN 2 THEN total"   \
                 " ELSE level END DESC, id DESC LIMIT ?11 OFFSET ?12")                             \
    X(ITEM_PUT, "INSERT INTO item(environment, stage, fingerprint, title, type, culprit, dataset," \
                " framework, first_version, last_version, level, own_total, total, "               \
                "since_activated, first_ns,"                                                       \
                " last_ns, first_seq, first_ordinal, last_seq, last_ordinal, activating_seq,"      \
                " activating_ordinal, activated_ns, counter)"                                      \
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?11, ?11, ?12, ?13, "   \
                "?14, ?15, ?16,"                                                                   \
                " ?17, ?14, ?15, ?18, (SELECT coalesce(max(counter), 0) + 1 FROM item WHERE "      \
                "environment = ?1))")                                                              \
    X(ITEM_SEEN, "UPDATE item SET own_total = own_total + ?8, total = total + ?2,"                 \
                 " since_activated = since_activated + ?2, first_ns = min(first_ns, ?3),"          \
                 " last_ns = max(last_ns, ?4), last_seq = ?5, last_ordinal = ?6,"                  \
                 " last_version = iif(?7 = '', last_version, ?7) WHERE id = ?1")                   \
    X(ITEM_ACTIVATE,                                                                               \
      "UPDATE item SET status = 1, activated_ns = ?2, since_activated = 1,"                        \
      " activating_seq = ?3, activating_ordinal = ?4, title = ?5, resolved_in = '',"               \
      " mute_until_ns = 0, mute_until_total = 0 WHERE id = ?1")                                    \
    X(ITEM_SET,                                                                                    \
      "UPDATE item SET status = ?2, level = ?3, level_set = ?4, title = ?5,"                       \
      " title_set = ?6, owner = ?7, resolved_in = ?8, activated_ns = ?9, resolved_ns = ?10,"       \
      " muted_ns = ?11, mute_until_ns = ?12, mute_until_total = ?13, since_activated = ?14"        \
      " WHERE id = ?1")                                                                            \
    X(ITEM_MERGE,                                                                                  \
      "UPDATE item SET merged_into = ?2 WHERE id = ?1 OR (merged_into = ?1 AND ?2 != 0)")          \
    X(ITEM_RECOUNT, "UPDATE item SET total = own_total + (SELECT coalesce(sum(m.own_total), 0)"    \
                    " FROM item AS m WHERE m.merged_into = ?1) WHERE id = ?1")                     \
    X(ITEM_LINE_PUT, "INSERT INTO item_line(item, at_ns, actor, what, before, after)"              \
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                            \
    X(ITEM_LINE_LIST, "SELECT id, at_ns, actor, what, before, after FROM item_line"                \
                      " WHERE item = ?1 ORDER BY id DESC LIMIT 1000")                              \
    X(ITEM_CURSOR, "SELECT seq, ordinal FROM item_cursor")                                         \
    X(ITEM_CURSOR_SET, "INSERT INTO item_cursor VALUES(1, ?1, ?2) ON CONFLICT(one)"                \
                       " DO UPDATE SET seq = excluded.seq, ordinal = excluded.ordinal")            \
    X(ITEM_LINE_ENVIRONMENT, "DELETE FROM item_line WHERE item IN"                                 \
                             " (SELECT id FROM item WHERE environment = ?1)")                      \
    X(ITEM_ENVIRONMENT, "DELETE FROM item WHERE environment = ?1")                                 \
    X(ITEM_RULE_LIST, "SELECT id, environment, place, what, level_min, stage, count, window_s,"    \
                      " created_ns FROM item_rule WHERE ?1 = '' OR environment = ?1 ORDER BY id")  \
    X(ITEM_RULE_COUNT, "SELECT count(*) FROM item_rule WHERE environment = ?1")                    \
    X(ITEM_RULE_PUT, "INSERT INTO item_rule(environment, place, what, level_min, stage, count,"    \
                     " window_s, created_ns) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")              \
    X(ITEM_RULE_DROP, "DELETE FROM item_rule WHERE environment = ?1 AND id = ?2")                  \
    X(ITEM_RULE_ENVIRONMENT, "DELETE FROM item_rule WHERE environment = ?1")                       \
    X(DEPLOY_ENVIRONMENT, "DELETE FROM deploy WHERE environment = ?1")                             \
    X(DEPLOY_PUT,                                                                                  \
      "INSERT INTO deploy(environment, stage, revision, status, comment, user, start_ns,"          \
      " finish_ns) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                        \
    X(DEPLOY_SET, "UPDATE deploy SET status = iif(?3 = '', status, ?3),"                           \
                  " comment = iif(?4 = '', comment, ?4), finish_ns = iif(?3 IN ('', 'started'), "  \
                  "finish_ns, ?5)"                                                                 \
                  " WHERE environment = ?1 AND id = ?2")                                           \
    X(DEPLOY_LIST,                                                                                 \
      "SELECT id, environment, stage, revision, status, comment, user, start_ns,"                  \
      " finish_ns FROM deploy WHERE environment = ?1 AND (?2 = 0 OR id = ?2)"                      \
      " AND (?3 = '' OR stage = ?3) ORDER BY start_ns DESC, id DESC LIMIT ?4 OFFSET ?5")           \
    X(NOTIFY_PLACES,                                                                               \
      "SELECT id, environment, name, kind, target, per_minute, created_ns, disabled,"              \
      " failures, retry_ns, delivered, dead, refused, last_ns, last_error"                         \
      " FROM notify_place ORDER BY environment, name")                                             \
    X(NOTIFY_PLACE_PUT,                                                                            \
      "INSERT INTO notify_place(id, environment, name, kind, target, per_minute,"                  \
      " created_ns) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                           \
    X(NOTIFY_PLACE_COUNT, "SELECT count(*) FROM notify_place")                                     \
    X(NOTIFY_PLACE_FIND, "SELECT 1 FROM notify_place WHERE id = ?1 AND environment = ?2")          \
    X(NOTIFY_PLACE_NAMED,                                                                          \
      "SELECT count(*) FROM notify_place WHERE environment = ?1 AND name = ?2")                    \
    X(NOTIFY_PLACE_DISABLE, "UPDATE notify_place SET disabled = ?2 WHERE id = ?1")                 \
    X(NOTIFY_PLACE_DROP, "DELETE FROM notify_place WHERE id = ?1")                                 \
    X(NOTIFY_PLACE_NOTE, "UPDATE notify_place SET failures = ?2, retry_ns = ?3, last_ns = ?4,"     \
                         " last_error = ?5, delivered = delivered + ?6, dead = dead + ?7"          \
                         " WHERE id = ?1")                                                         \
    X(NOTIFY_PLACE_REFUSED, "UPDATE notify_place SET refused = refused + 1 WHERE id = ?1")         \
    X(NOTIFY_PUT,                                                                                  \
      "INSERT INTO notify_message(id, place, environment, kind, key, title, text, url,"            \
      " content_type, content_encoding, body, created_ns, due_from_ns)"                            \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)"                            \
      " ON CONFLICT(place, key) WHERE key != '' DO NOTHING")                                       \
    X(NOTIFY_WAITING, "SELECT count(*) FROM notify_message WHERE place = ?1 AND state = 0")        \
    X(NOTIFY_BYTES, "SELECT bytes FROM notify_sum")                                                \
    X(NOTIFY_HEAD, "SELECT number, id, place, environment, kind, key, title, text, url,"           \
                   " content_type, content_encoding, created_ns, due_from_ns, attempts, state,"    \
                   " ended_ns, status, error, body FROM notify_message"                            \
                   " WHERE place = ?1 AND state = 0 ORDER BY number LIMIT 1")                      \
    X(NOTIFY_LIST, "SELECT number, id, place, environment, kind, key, title, text, url,"           \
                   " content_type, content_encoding, created_ns, due_from_ns, attempts, state,"    \
                   " ended_ns, status, error, '' FROM notify_message"                              \
                   " WHERE environment = ?1 AND number < ?2 AND (?3 < 0 OR state = ?3)"            \
                   " ORDER BY number DESC LIMIT ?4")                                               \
    X(NOTIFY_ATTEMPT, "UPDATE notify_message SET attempts = attempts + 1, status = ?2, error = ?3" \
                      " WHERE number = ?1")                                                        \
    X(NOTIFY_END, "UPDATE notify_message SET attempts = attempts + 1, state = ?2, status = ?3,"    \
                  " error = ?4, ended_ns = ?5, body = CASE WHEN ?2 = 1 THEN x'' ELSE body END"     \
                  " WHERE number = ?1")                                                            \
    X(NOTIFY_TRIM, "DELETE FROM notify_message WHERE number IN (SELECT number FROM notify_message" \
                   " WHERE place = ?1 AND state = ?2 ORDER BY number DESC LIMIT -1 OFFSET ?3)")    \
    X(NOTIFY_AGAIN, "UPDATE notify_message SET state = 0, attempts = 0, due_from_ns = ?3"          \
                    " WHERE id = ?1 AND environment = ?2 AND state = 2")                           \
    X(NOTIFY_DROP, "DELETE FROM notify_message WHERE id = ?1 AND environment = ?2")                \
    X(NOTIFY_DROP_PLACE, "DELETE FROM notify_message WHERE place = ?1")                            \
    X(NOTIFY_ENVIRONMENT, "DELETE FROM notify_message WHERE environment = ?1")                     \
    X(NOTIFY_PLACE_ENVIRONMENT, "DELETE FROM notify_place WHERE environment = ?1")                 \
    X(DATA_VERSION, "PRAGMA data_version")                                                         \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")

enum skep_state__stmt {
#define X(id, sql) SKEP_STATE__##id,
    SKEP_STATE__STATEMENTS(X)
#undef X
        SKEP_STATE__COUNT
};

struct skep_state {
    const struct skep_os *os;
    uint64_t results_limit, results_limit_bytes;
    struct skep_mutex lock; /* guards all below */
    sqlite3 *db;
    sqlite3_stmt *stmt[SKEP_STATE__COUNT];
    uint64_t keys_changes, data_version; /* keys.c */
    struct skep_state__logs logs;        /* has a lock of its own */
};

/* A statement ready for binding.  Lock held. */
sqlite3_stmt *skep_state__use(struct skep_state *s, enum skep_state__stmt id);
void skep_state__bind_str(sqlite3_stmt *st, int i, skep_str v);
void skep_state__bind_i64(sqlite3_stmt *st, int i, int64_t v);
void skep_state__bind_bytes(sqlite3_stmt *st, int i, skep_bytes b);
/* One row, or none: *ret_row.  Returns SKEP_OK | SKEP_EIO | SKEP_ECORRUPT | SKEP_ENOSPC. */
skep_rc skep_state__step(struct skep_state *s, sqlite3_stmt *st, bool *ret_row, skep_err *err);
/* A transaction: begin, and after a begin that went well end it with what became of its work: kept
 * if that is SKEP_OK, undone otherwise.  end returns the first error. */
skep_rc skep_state__begin(struct skep_state *s, skep_err *err);
skep_rc skep_state__end(struct skep_state *s, skep_rc work, skep_err *err);
/* A statement that gives one row with one number. */
skep_rc skep_state__number(struct skep_state *s, sqlite3_stmt *st, uint64_t *ret, skep_err *err);
/* A statement without rows, then reset. */
skep_rc skep_state__run(struct skep_state *s, sqlite3_stmt *st, skep_err *err);
void skep_state__reset(sqlite3_stmt *st);
skep_str skep_state__text(struct skep_arena *arena, sqlite3_stmt *st, int column);
skep_state_id skep_state__id(sqlite3_stmt *st, int column);
/* A fresh random id. */
skep_state_id skep_state__new_id(struct skep_state *s);
/* The schema at its newest version. */
skep_rc skep_state__migrate(sqlite3 *db, skep_err *err);
/* All log groups and streams into memory. */
skep_rc skep_state__logs_load(struct skep_state *s, skep_err *err);
/* Forget those of an environment that went; lock held. */
void skep_state__logs_drop_environment(struct skep_state *s, skep_str environment);
/* Tags in the transaction at hand; lock held. */
skep_rc skep_state__log_tag_locked(struct skep_state *s, skep_str environment, skep_str resource,
                                   const struct skep_state_log_tag *tags, size_t n, skep_err *err);
/* Results that ran when the last owner ended will never finish. */
skep_rc skep_state__end_results(sqlite3 *db, skep_err *err);
