// SPDX-License-Identifier: Apache-2.0
/* Schema versions: step i of the table brings a database from version i to i + 1; each step is one
 * transaction together with its number (PRAGMA user_version).  Steps are never edited once
 * released. Threads: the one that opens. */
#include "state/state_priv.h"

#include "base/assert.h"

static const char *const steps[] = {
    /* 0 -> 1 */
    "CREATE TABLE query("
    "  id TEXT PRIMARY KEY, dataset TEXT NOT NULL, spec TEXT NOT NULL, created_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX query_spec ON query(dataset, spec);"
    "CREATE TABLE result("
    "  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, query_id TEXT NOT NULL,"
    "  options TEXT NOT NULL, status INTEGER NOT NULL, data TEXT, created_ns INTEGER NOT NULL,"
    "  finished_ns INTEGER, bytes INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE dataset("
    "  slug TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,"
    "  created_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE \"column\"("
    "  id TEXT PRIMARY KEY, dataset TEXT NOT NULL, name TEXT NOT NULL, created_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX column_name ON \"column\"(dataset, name);",
    /* 1 -> 2 */
    "CREATE TABLE ledger(key INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;",
    /* 2 -> 3: queries and datasets belong to an environment */
    "ALTER TABLE query ADD COLUMN environment TEXT NOT NULL DEFAULT 'default';"
    "DROP INDEX query_spec;"
    "CREATE UNIQUE INDEX query_spec ON query(environment, dataset, spec);"
    "ALTER TABLE dataset RENAME TO dataset_2;"
    "CREATE TABLE dataset("
    "  environment TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL,"
    "  description TEXT NOT NULL, created_ns INTEGER NOT NULL, PRIMARY KEY(environment, slug)"
    ") STRICT;"
    "INSERT INTO dataset SELECT 'default', slug, name, description, created_ns FROM dataset_2;"
    "DROP TABLE dataset_2;",
    /* 3 -> 4 */
    "CREATE TABLE environment("
    "  id TEXT NOT NULL UNIQUE, slug TEXT PRIMARY KEY, name TEXT NOT NULL,"
    "  description TEXT NOT NULL, color TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    "  delete_protected INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO environment VALUES('hcxen_00000000000000000000000000', 'default', 'default',"
    "  'where rows go that name no other', 'blue', 0, 1);"
    "CREATE TABLE api_key("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    "  environment TEXT NOT NULL, rights INTEGER NOT NULL, token_hash BLOB NOT NULL UNIQUE,"
    "  rollbar_hash BLOB NOT NULL UNIQUE, access_key TEXT NOT NULL UNIQUE, sealed BLOB NOT NULL,"
    "  created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
    "  revoked_ns INTEGER NOT NULL DEFAULT 0, disabled INTEGER NOT NULL DEFAULT 0,"
    "  events_per_minute INTEGER NOT NULL, bytes_per_minute INTEGER NOT NULL,"
    "  events_per_day INTEGER NOT NULL, bytes_per_day INTEGER NOT NULL,"
    "  last_used_ns INTEGER NOT NULL DEFAULT 0, day INTEGER NOT NULL DEFAULT 0,"
    "  day_events INTEGER NOT NULL DEFAULT 0, day_bytes INTEGER NOT NULL DEFAULT 0"
    ") STRICT;",
    /* people, and who did what */
    "CREATE TABLE user("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE,"
    "  role INTEGER NOT NULL, password TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    "  disabled_ns INTEGER NOT NULL DEFAULT 0, last_login_ns INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE session("
    "  hash BLOB PRIMARY KEY, user INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
    "  seen_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE link("
    "  hash BLOB PRIMARY KEY, role INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
    "  expires_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE audit("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, who TEXT NOT NULL,"
    "  what TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX audit_failed ON audit(number) WHERE what = 'login.failed';",
    /* what X-Ray's API keeps */
    "CREATE TABLE xray_item("
    "  seq INTEGER PRIMARY KEY, environment TEXT NOT NULL, kind INTEGER NOT NULL,"
    "  name TEXT NOT NULL, body TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    "  modified_ns INTEGER NOT NULL, UNIQUE(environment, kind, name)"
    ") STRICT;"
    "CREATE TABLE xray_tag("
    "  environment TEXT NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,"
    "  value TEXT NOT NULL, PRIMARY KEY(environment, kind, name, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE xray_window("
    "  environment TEXT NOT NULL, start_ns INTEGER NOT NULL, rule TEXT NOT NULL,"
    "  requests INTEGER NOT NULL, borrowed INTEGER NOT NULL, sampled INTEGER NOT NULL,"
    "  PRIMARY KEY(environment, start_ns, rule)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX xray_window_start ON xray_window(start_ns);",
    /* who logs in through an identity provider */
    "ALTER TABLE user ADD COLUMN subject TEXT NOT NULL DEFAULT '';"
    "CREATE UNIQUE INDEX user_subject ON user(subject) WHERE subject != '';",
    /* what CloudWatch Logs' API keeps */
    "CREATE TABLE log_group("
    "  environment TEXT NOT NULL, name TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    "  retention_days INTEGER NOT NULL, class INTEGER NOT NULL, protected INTEGER NOT NULL,"
    "  PRIMARY KEY(environment, name)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE log_stream("
    "  environment TEXT NOT NULL, grp TEXT NOT NULL, name TEXT NOT NULL,"
    "  created_ns INTEGER NOT NULL, PRIMARY KEY(environment, grp, name)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE log_item("
    "  seq INTEGER PRIMARY KEY, environment TEXT NOT NULL, kind INTEGER NOT NULL,"
    "  grp TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    "  modified_ns INTEGER NOT NULL, at_seq INTEGER NOT NULL, at_ordinal INTEGER NOT NULL,"
    "  UNIQUE(environment, kind, grp, name)"
    ") STRICT;"
    "CREATE TABLE log_tag("
    "  environment TEXT NOT NULL, resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY(environment, resource, key)"
    ") STRICT, WITHOUT ROWID;",
    /* errors: items, their history, deploys */
    "CREATE TABLE item("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, counter INTEGER NOT NULL,"
    "  stage TEXT NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL, type TEXT NOT NULL,"
    "  culprit TEXT NOT NULL, dataset TEXT NOT NULL, framework TEXT NOT NULL,"
    "  status INTEGER NOT NULL DEFAULT 1, level INTEGER NOT NULL,"
    "  level_set INTEGER NOT NULL DEFAULT 0, title_set INTEGER NOT NULL DEFAULT 0,"
    "  owner TEXT NOT NULL DEFAULT '', merged_into INTEGER NOT NULL DEFAULT 0,"
    "  own_total INTEGER NOT NULL, total INTEGER NOT NULL, since_activated INTEGER NOT NULL,"
    "  first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
    "  first_seq INTEGER NOT NULL, first_ordinal INTEGER NOT NULL,"
    "  last_seq INTEGER NOT NULL, last_ordinal INTEGER NOT NULL,"
    "  activating_seq INTEGER NOT NULL, activating_ordinal INTEGER NOT NULL,"
    "  activated_ns INTEGER NOT NULL, resolved_ns INTEGER NOT NULL DEFAULT 0,"
    "  muted_ns INTEGER NOT NULL DEFAULT 0, resolved_in TEXT NOT NULL DEFAULT '',"
    "  first_version TEXT NOT NULL, last_version TEXT NOT NULL,"
    "  mute_until_ns INTEGER NOT NULL DEFAULT 0, mute_until_total INTEGER NOT NULL DEFAULT 0,"
    "  UNIQUE(environment, stage, fingerprint), UNIQUE(environment, counter)"
    ") STRICT;"
    "CREATE INDEX item_last ON item(environment, merged_into, last_ns);"
    "CREATE TABLE item_line("
    "  id INTEGER PRIMARY KEY, item INTEGER NOT NULL, at_ns INTEGER NOT NULL, actor TEXT NOT NULL,"
    "  what TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX item_line_item ON item_line(item, id);"
    "CREATE TABLE item_cursor("
    "  one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE deploy("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, stage TEXT NOT NULL,"
    "  revision TEXT NOT NULL, status TEXT NOT NULL, comment TEXT NOT NULL, user TEXT NOT NULL,"
    "  start_ns INTEGER NOT NULL, finish_ns INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX deploy_of ON deploy(environment, start_ns);",
    /* where messages go, and those on their way */
    "CREATE TABLE notify_place("
    "  id TEXT PRIMARY KEY, environment TEXT NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,"
    "  target TEXT NOT NULL, per_minute INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
    "  disabled INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,"
    "  retry_ns INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,"
    "  dead INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,"
    "  last_ns INTEGER NOT NULL DEFAULT 0, last_error TEXT NOT NULL DEFAULT '',"
    "  UNIQUE(environment, name)"
    ") STRICT;"
    "CREATE TABLE notify_message("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, place TEXT NOT NULL,"
    "  environment TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, title TEXT NOT NULL,"
    "  text TEXT NOT NULL, url TEXT NOT NULL, content_type TEXT NOT NULL,"
    "  content_encoding TEXT NOT NULL, body BLOB NOT NULL, created_ns INTEGER NOT NULL,"
    "  due_from_ns INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    "  state INTEGER NOT NULL DEFAULT 0, ended_ns INTEGER NOT NULL DEFAULT 0,"
    "  status INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT ''"
    ") STRICT;"
    "CREATE INDEX notify_queue ON notify_message(place, state, number);"
    "CREATE UNIQUE INDEX notify_key ON notify_message(place, key) WHERE key != '';"
    "CREATE TABLE notify_sum(bytes INTEGER NOT NULL) STRICT;"
    "INSERT INTO notify_sum VALUES(0);"
    "CREATE TRIGGER notify_more AFTER INSERT ON notify_message BEGIN"
    "  UPDATE notify_sum SET bytes = bytes + length(NEW.body); END;"
    "CREATE TRIGGER notify_less AFTER DELETE ON notify_message BEGIN"
    "  UPDATE notify_sum SET bytes = bytes - length(OLD.body); END;"
    "CREATE TRIGGER notify_other AFTER UPDATE OF body ON notify_message BEGIN"
    "  UPDATE notify_sum SET bytes = bytes - length(OLD.body) + length(NEW.body); END;",
    /* who is told what about items */
    "CREATE TABLE item_rule("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, place TEXT NOT NULL,"
    "  what INTEGER NOT NULL, level_min INTEGER NOT NULL, stage TEXT NOT NULL,"
    "  count INTEGER NOT NULL, window_s INTEGER NOT NULL, created_ns INTEGER NOT NULL"
    ") STRICT;",
    /* reports of what another wire told of already: rows that are not counted */
    "CREATE TABLE item_twin("
    "  seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, of_seq INTEGER NOT NULL,"
    "  of_ordinal INTEGER NOT NULL, wire INTEGER NOT NULL, of_wire INTEGER NOT NULL,"
    "  environment TEXT NOT NULL, stage TEXT NOT NULL, fingerprint TEXT NOT NULL,"
    "  time_ns INTEGER NOT NULL, PRIMARY KEY(seq, ordinal)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX item_twin_of ON item_twin(of_seq, of_ordinal);"
    "CREATE INDEX item_twin_at ON item_twin(environment, fingerprint, stage, time_ns);"
    "CREATE TABLE item_memory("
    "  one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL"
    ") STRICT;",
    /* source maps and tables of debug files */
    "CREATE TABLE artifact("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, kind INTEGER NOT NULL,"
    "  version TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL, bytes INTEGER NOT NULL,"
    "  kept_bytes INTEGER NOT NULL, created_ns INTEGER NOT NULL, actor TEXT NOT NULL,"
    "  body BLOB NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX artifact_key ON artifact(environment, kind, version, name);",
    /* how errors are grouped */
    "CREATE TABLE grouping_rule("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, position INTEGER NOT NULL,"
    "  body TEXT NOT NULL, changed_ns INTEGER NOT NULL"
    ") STRICT;",
    /* questions of RQL */
    "CREATE TABLE rql_job("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, query TEXT NOT NULL,"
    "  status INTEGER NOT NULL, created_ns INTEGER NOT NULL, modified_ns INTEGER NOT NULL,"
    "  result TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX rql_job_environment ON rql_job(environment, id);",
    /* what people make through Honeycomb's API, and the state of what is watched */
    "CREATE TABLE object("
    "  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, environment TEXT NOT NULL,"
    "  kind INTEGER NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,"
    "  created_ns INTEGER NOT NULL, updated_ns INTEGER NOT NULL, UNIQUE(environment, kind, id)"
    ") STRICT;"
    "CREATE INDEX object_scope ON object(kind, environment, scope, name);"
    "CREATE TABLE watch("
    "  environment TEXT NOT NULL, id TEXT NOT NULL, slot_ns INTEGER NOT NULL,"
    "  triggered INTEGER NOT NULL, streak INTEGER NOT NULL, triggered_ns INTEGER NOT NULL,"
    "  PRIMARY KEY(environment, id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE evaluation("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, watch TEXT NOT NULL,"
    "  slot_ns INTEGER NOT NULL, took_ns INTEGER NOT NULL, value REAL, met INTEGER NOT NULL,"
    "  triggered INTEGER NOT NULL, event INTEGER NOT NULL, told INTEGER NOT NULL,"
    "  error TEXT NOT NULL, detail TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX evaluation_watch ON evaluation(environment, watch, number);"
    "CREATE INDEX evaluation_untold ON evaluation(number) WHERE told = 0;"
    "ALTER TABLE notify_message ADD COLUMN headers TEXT NOT NULL DEFAULT '';",
    /* items: an index for each order, how many there are; deploys by what was new and back */
    "DROP INDEX item_last;"
    "CREATE INDEX item_by_last ON item(environment, merged_into, last_ns, id, status, level, stage,"
    " owner, first_ns, activated_ns);"
    "CREATE INDEX item_by_first ON item(environment, merged_into, first_ns, id, status, level,"
    " stage, owner, last_ns, activated_ns);"
    "CREATE INDEX item_by_total ON item(environment, merged_into, total, id, status, level, stage,"
    " owner, last_ns, first_ns, activated_ns);"
    "CREATE INDEX item_by_level ON item(environment, merged_into, level, id, status, stage, owner,"
    " last_ns, first_ns, activated_ns);"
    "CREATE INDEX item_back ON item(environment, merged_into, activated_ns, first_ns, stage);"
    "CREATE INDEX deploy_of_stage ON deploy(environment, stage, start_ns);"
    "CREATE TABLE item_sum(environment TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO item_sum SELECT environment, count(*) FROM item GROUP BY environment;"
    "CREATE TRIGGER item_more AFTER INSERT ON item BEGIN"
    "  INSERT INTO item_sum VALUES(NEW.environment, 1)"
    "    ON CONFLICT(environment) DO UPDATE SET n = n + 1; END;"
    "CREATE TRIGGER item_less AFTER DELETE ON item BEGIN"
    "  UPDATE item_sum SET n = n - 1 WHERE environment = OLD.environment; END;",
    /* what a webhook is sent of an item */
    "ALTER TABLE item_rule ADD COLUMN payload TEXT NOT NULL DEFAULT '';",
    /* twins by time, of all fingerprints */
    "CREATE INDEX item_twin_when ON item_twin(environment, time_ns, stage);",
    /* questions that were asked, with their answers */
    "CREATE TABLE run("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    "  environment TEXT NOT NULL, owner TEXT NOT NULL, actor TEXT NOT NULL,"
    "  name TEXT NOT NULL DEFAULT '', starred INTEGER NOT NULL DEFAULT 0,"
    "  question TEXT NOT NULL, path TEXT NOT NULL, same INTEGER NOT NULL,"
    "  created_ns INTEGER NOT NULL, elapsed_ns INTEGER NOT NULL, rows_examined INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL,"
    "  kept INTEGER NOT NULL AS (starred != 0 OR name != '') VIRTUAL, answer BLOB NOT NULL"
    ") STRICT;"
    "CREATE INDEX run_of ON run(environment, kept, number, bytes, created_ns);",
    /* parts of three letters of what words are looked for in, without the texts: items by them */
    "CREATE VIRTUAL TABLE item_words USING fts5(text, content='', columnsize=0, detail=none,"
    " tokenize='trigram');"
    "INSERT INTO item_words(rowid, text) SELECT id, title || ' ' || type || ' ' || culprit || ' '"
    " || dataset FROM item;"
    "CREATE TRIGGER item_words_more AFTER INSERT ON item BEGIN"
    "  INSERT INTO item_words(rowid, text) VALUES(NEW.id, NEW.title || ' ' || NEW.type || ' ' ||"
    "    NEW.culprit || ' ' || NEW.dataset); END;"
    "CREATE TRIGGER item_words_less AFTER DELETE ON item BEGIN"
    "  INSERT INTO item_words(item_words, rowid, text) VALUES('delete', OLD.id, OLD.title || ' '"
    "    || OLD.type || ' ' || OLD.culprit || ' ' || OLD.dataset); END;"
    "CREATE TRIGGER item_words_other AFTER UPDATE OF title, type, culprit, dataset ON item"
    " WHEN OLD.title != NEW.title OR OLD.type != NEW.type OR OLD.culprit != NEW.culprit"
    " OR OLD.dataset != NEW.dataset BEGIN"
    "  INSERT INTO item_words(item_words, rowid, text) VALUES('delete', OLD.id, OLD.title || ' '"
    "    || OLD.type || ' ' || OLD.culprit || ' ' || OLD.dataset);"
    "  INSERT INTO item_words(rowid, text) VALUES(NEW.id, NEW.title || ' ' || NEW.type || ' ' ||"
    "    NEW.culprit || ' ' || NEW.dataset); END;",
    /* items: what is kept of new ones is entered by a look at once (items.c), not by a trigger
       each; indexes by what being seen again does not change; how many there are of a kind */
    "DROP TRIGGER item_more;"
    "DROP TRIGGER item_words_more;"
    "DROP INDEX item_by_first;"
    "DROP INDEX item_by_level;"
    "CREATE INDEX item_by_first ON item(environment, merged_into, first_ns, id, status, level,"
    " stage, owner, activated_ns);"
    "CREATE INDEX item_by_level ON item(environment, merged_into, level, id, status, stage, owner,"
    " first_ns, activated_ns);"
    "CREATE TABLE item_kind("
    "  environment TEXT NOT NULL, status INTEGER NOT NULL, level INTEGER NOT NULL,"
    "  stage TEXT NOT NULL, owner TEXT NOT NULL, n INTEGER NOT NULL,"
    "  PRIMARY KEY(environment, status, level, stage, owner)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO item_kind SELECT environment, status, level, stage, owner, count(*) FROM item"
    " WHERE merged_into = 0 GROUP BY 1, 2, 3, 4, 5;"
    "CREATE TRIGGER item_kind_less AFTER DELETE ON item WHEN OLD.merged_into = 0 BEGIN"
    "  UPDATE item_kind SET n = n - 1 WHERE environment = OLD.environment AND status = OLD.status"
    "    AND level = OLD.level AND stage = OLD.stage AND owner = OLD.owner;"
    "  DELETE FROM item_kind WHERE environment = OLD.environment AND status = OLD.status"
    "    AND level = OLD.level AND stage = OLD.stage AND owner = OLD.owner AND n = 0; END;"
    "CREATE TRIGGER item_kind_other AFTER UPDATE OF status, level, owner, merged_into ON item"
    " WHEN OLD.status != NEW.status OR OLD.level != NEW.level OR OLD.owner != NEW.owner"
    " OR OLD.merged_into != NEW.merged_into BEGIN"
    "  UPDATE item_kind SET n = n - 1 WHERE OLD.merged_into = 0 AND environment = OLD.environment"
    "    AND status = OLD.status AND level = OLD.level AND stage = OLD.stage"
    "    AND owner = OLD.owner;"
    "  DELETE FROM item_kind WHERE environment = OLD.environment AND status = OLD.status"
    "    AND level = OLD.level AND stage = OLD.stage AND owner = OLD.owner AND n = 0;"
    "  INSERT INTO item_kind SELECT NEW.environment, NEW.status, NEW.level, NEW.stage, NEW.owner, 1"
    "    WHERE NEW.merged_into = 0 ON CONFLICT DO UPDATE SET n = n + 1; END;",
    /* items: only what came back is in the index of that; the index of words is merged half as
     * often, which costs its questions nothing */
    "DROP INDEX item_back;"
    "CREATE INDEX item_back ON item(environment, merged_into, activated_ns, first_ns, stage)"
    " WHERE activated_ns != first_ns;"
    "INSERT INTO item_words(item_words, rank) VALUES('automerge', 8);",
    /* items: words have no index (items_list.c) */
    "DROP TRIGGER item_words_less;"
    "DROP TRIGGER item_words_other;"
    "DROP TABLE item_words;",
    /* items: found by a number made of environment, stage and fingerprint, four bytes for seventy
     * in an index that grows at random places; what a search reads is in front; when one was new is
     * its own, no line of a history that most never have; how many an environment has is counted by
     * a look.  No more UNIQUE of what they are found by: a look looks before it makes one. */
    "CREATE TABLE item_2("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, title TEXT NOT NULL,"
    "  type TEXT NOT NULL, culprit TEXT NOT NULL, dataset TEXT NOT NULL,"
    "  merged_into INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 1,"
    "  level INTEGER NOT NULL, stage TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '',"
    "  framework TEXT NOT NULL, fingerprint TEXT NOT NULL, key INTEGER NOT NULL,"
    "  counter INTEGER NOT NULL, level_set INTEGER NOT NULL DEFAULT 0,"
    "  title_set INTEGER NOT NULL DEFAULT 0, own_total INTEGER NOT NULL, total INTEGER NOT NULL,"
    "  since_activated INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
    "  first_seq INTEGER NOT NULL, first_ordinal INTEGER NOT NULL,"
    "  last_seq INTEGER NOT NULL, last_ordinal INTEGER NOT NULL,"
    "  activating_seq INTEGER NOT NULL, activating_ordinal INTEGER NOT NULL,"
    "  made_ns INTEGER NOT NULL, activated_ns INTEGER NOT NULL,"
    "  resolved_ns INTEGER NOT NULL DEFAULT 0, muted_ns INTEGER NOT NULL DEFAULT 0,"
    "  resolved_in TEXT NOT NULL DEFAULT '', first_version TEXT NOT NULL,"
    "  last_version TEXT NOT NULL, mute_until_ns INTEGER NOT NULL DEFAULT 0,"
    "  mute_until_total INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "INSERT INTO item_2 SELECT id, environment, title, type, culprit, dataset, merged_into, status,"
    " level, stage, owner, framework, fingerprint, item_key(environment, stage, fingerprint),"
    " counter, level_set, title_set, own_total, total, since_activated, first_ns, last_ns,"
    " first_seq, first_ordinal, last_seq, last_ordinal, activating_seq, activating_ordinal,"
    " coalesce((SELECT at_ns FROM item_line AS l WHERE l.item = item.id AND what = 'new'), "
    "first_ns),"
    " activated_ns, resolved_ns, muted_ns, resolved_in, first_version, last_version, mute_until_ns,"
    " mute_until_total FROM item ORDER BY id;"
    "DELETE FROM item_line WHERE what = 'new';"
    "DELETE FROM sqlite_sequence WHERE name = 'item_2';"
    "INSERT INTO sqlite_sequence SELECT 'item_2', seq FROM sqlite_sequence WHERE name = 'item';"
    "DROP TABLE item;"
    "ALTER TABLE item_2 RENAME TO item;"
    "CREATE INDEX item_by_key ON item(key);"
    "CREATE UNIQUE INDEX item_by_counter ON item(environment, counter);"
    "CREATE INDEX item_by_last ON item(environment, merged_into, last_ns, id, status, level, stage,"
    " owner, first_ns, activated_ns);"
    "CREATE INDEX item_by_first ON item(environment, merged_into, first_ns, id, status, level,"
    " stage, owner, activated_ns);"
    "CREATE INDEX item_by_total ON item(environment, merged_into, total, id, status, level, stage,"
    " owner, last_ns, first_ns, activated_ns);"
    "CREATE INDEX item_by_level ON item(environment, merged_into, level, id, status, stage, owner,"
    " first_ns, activated_ns);"
    "CREATE INDEX item_back ON item(environment, merged_into, activated_ns, first_ns, stage)"
    " WHERE activated_ns != first_ns;"
    "CREATE TRIGGER item_less AFTER DELETE ON item BEGIN"
    "  UPDATE item_sum SET n = n - 1 WHERE environment = OLD.environment; END;"
    "CREATE TRIGGER item_kind_less AFTER DELETE ON item WHEN OLD.merged_into = 0 BEGIN"
    "  UPDATE item_kind SET n = n - 1 WHERE environment = OLD.environment"
    "    AND status = OLD.status AND level = OLD.level AND stage = OLD.stage"
    "    AND owner = OLD.owner;"
    "  DELETE FROM item_kind WHERE environment = OLD.environment AND status = OLD.status"
    "    AND level = OLD.level AND stage = OLD.stage AND owner = OLD.owner AND n = 0; END;"
    "CREATE TRIGGER item_kind_other AFTER UPDATE OF status, level, owner, merged_into ON item"
    " WHEN OLD.status != NEW.status OR OLD.level != NEW.level OR OLD.owner != NEW.owner"
    " OR OLD.merged_into != NEW.merged_into BEGIN"
    "  UPDATE item_kind SET n = n - 1 WHERE OLD.merged_into = 0"
    "    AND environment = OLD.environment AND status = OLD.status AND level = OLD.level"
    "    AND stage = OLD.stage AND owner = OLD.owner;"
    "  DELETE FROM item_kind WHERE environment = OLD.environment AND status = OLD.status"
    "    AND level = OLD.level AND stage = OLD.stage AND owner = OLD.owner AND n = 0;"
    "  INSERT INTO item_kind SELECT NEW.environment, NEW.status, NEW.level, NEW.stage,"
    "    NEW.owner, 1 WHERE NEW.merged_into = 0 ON CONFLICT DO UPDATE SET n = n + 1; END;",
};

static skep_rc exec(sqlite3 *db, const char *sql, skep_err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return SKEP_OK;
    skep_rc rc = sqlite3_errcode(db) == SQLITE_NOTADB || sqlite3_errcode(db) == SQLITE_CORRUPT
                     ? SKEP_ECORRUPT
                     : SKEP_EIO;
    return skep_fail(err, rc, "state database: %s", sqlite3_errmsg(db));
}

static skep_rc version_of(sqlite3 *db, int *ret, skep_err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        (void)sqlite3_finalize(st);
        return skep_fail(err, SKEP_ECORRUPT, "state database: %s", sqlite3_errmsg(db));
    }
    *ret = sqlite3_column_int(st, 0);
    (void)sqlite3_finalize(st);
    return SKEP_OK;
}

static skep_rc step(sqlite3 *db, int version, skep_err *err)
{
    char pragma[48];
    (void)sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA user_version = %d", version + 1);
    SKEP_TRY(exec(db, "BEGIN IMMEDIATE", err));
    skep_rc rc = exec(db, steps[version], err);
    if (rc == SKEP_OK)
        rc = exec(db, pragma, err);
    if (rc == SKEP_OK)
        return exec(db, "COMMIT", err);
    (void)exec(db, "ROLLBACK", NULL); /* the first error is the one to report */
    return rc;
}

skep_rc skep_state__migrate(sqlite3 *db, skep_err *err)
{
    int version = 0;
    skep_assert(db != NULL);
    SKEP_TRY(exec(db, "PRAGMA journal_mode = WAL", err));
    SKEP_TRY(exec(db, "PRAGMA synchronous = FULL", err));
    SKEP_TRY(exec(db, "PRAGMA cache_size = -8192", err)); /* KiB */
    SKEP_TRY(exec(db, "PRAGMA journal_size_limit = 4194304", err));
    SKEP_TRY(version_of(db, &version, err));
    if (version < 0 || version > (int)SKEP_ARRAY_LEN(steps))
        return skep_fail(err, SKEP_EUNSUPPORTED,
                         "state database has version %d, this program knows up to %d", version,
                         (int)SKEP_ARRAY_LEN(steps));
    for (int v = version; v < (int)SKEP_ARRAY_LEN(steps); v++)
        SKEP_TRY(step(db, v, err));
    return SKEP_OK;
}

skep_rc skep_state__end_results(sqlite3 *db, skep_err *err)
{
    return exec(db,
                "UPDATE result SET status = 2, data = 'the server stopped while the query ran'"
                " WHERE status = 0;"
                "UPDATE rql_job SET status = 3, result = 'the server stopped while the query ran'"
                " WHERE status = 1",
                err);
}
