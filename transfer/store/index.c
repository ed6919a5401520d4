/* index.c - see index.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/store/index.h"

#include <fcntl.h>
#include <glib/gi18n.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "transfer/error.h"

#define SCHEMA_VERSION 1

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS blobs (oid TEXT NOT NULL, path TEXT NOT NULL, dev INTEGER,"
    "  ino INTEGER, size INTEGER, mtime_ns INTEGER, good INTEGER, PRIMARY KEY (oid, path))"
    "  WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS blob_paths ON blobs (path);"
    "CREATE TABLE IF NOT EXISTS repos (repo INTEGER PRIMARY KEY, type INTEGER NOT NULL,"
    "  id TEXT NOT NULL, open INTEGER, UNIQUE (type, id));"
    "CREATE TABLE IF NOT EXISTS members (oid TEXT NOT NULL, repo INTEGER NOT NULL,"
    "  PRIMARY KEY (oid, repo)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS manifests (repo INTEGER NOT NULL, hash TEXT NOT NULL,"
    "  json TEXT NOT NULL, PRIMARY KEY (repo, hash));"
    "CREATE TABLE IF NOT EXISTS transfers (id INTEGER PRIMARY KEY, json TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS root_files (dev INTEGER, ino INTEGER, size INTEGER NOT NULL,"
    "  mtime_ns INTEGER NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, sha1 TEXT,"
    "  PRIMARY KEY (dev, ino)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS root_sha256 ON root_files (sha256);"
    "CREATE INDEX IF NOT EXISTS root_sha1 ON root_files (sha1);"
    "PRAGMA user_version = 1;";

typedef enum
{
  Q_BLOB_ADD,
  Q_BLOB_FORGET,
  Q_BLOB_KNOWS,
  Q_BLOB_PATHS,
  Q_BLOB_BYTES,
  Q_REPO_MAKE,
  Q_REPO_SET_OPEN,
  Q_REPO_OPEN,
  Q_MEMBER_ADD,
  Q_BLOB_OPEN,
  Q_MANIFEST_ADD,
  Q_MANIFEST_GET,
  Q_MANIFEST_FORGET,
  Q_MANIFEST_ANY,
  Q_ROOT_ADD,
  Q_ROOT_GET,
  Q_ROOT_KNOWS,
  Q_ROOT_MOVE,
  Q_ROOT_PATHS,
  Q_ROOT_FORGET,
  Q_ROOT_ALL,
  Q_TRANSFER_SAVE,
  Q_TRANSFER_FORGET,
  Q_TRANSFERS,
  Q_COUNTER_GET,
  Q_COUNTER_SET,
  Q_BEGIN,
  Q_COMMIT,
  N_QUERIES,
} Query;

static const char *const queries[N_QUERIES] = {
  [Q_BLOB_ADD] = "INSERT OR REPLACE INTO blobs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
  [Q_BLOB_FORGET] = "DELETE FROM blobs WHERE path = ?1",
  [Q_BLOB_KNOWS] = "SELECT good FROM blobs WHERE oid = ?1 AND path = ?2 AND dev = ?3 AND ino = ?4"
                   " AND size = ?5 AND mtime_ns = ?6",
  [Q_BLOB_PATHS] = "SELECT path FROM blobs WHERE oid = ?1 AND good",
  [Q_BLOB_BYTES] = "SELECT sum(size) FROM (SELECT DISTINCT dev, ino, size FROM blobs WHERE good)",
  [Q_REPO_MAKE] = "INSERT OR IGNORE INTO repos (type, id) VALUES (?1, ?2)",
  [Q_REPO_SET_OPEN] = "UPDATE repos SET open = ?3 WHERE type = ?1 AND id = ?2",
  [Q_REPO_OPEN] = "SELECT open FROM repos WHERE type = ?1 AND id = ?2 AND open IS NOT NULL",
  [Q_MEMBER_ADD] = "INSERT OR IGNORE INTO members"
                   " SELECT ?3, repo FROM repos WHERE type = ?1 AND id = ?2",
  [Q_BLOB_OPEN] =
      "SELECT 1 FROM members JOIN repos USING (repo) WHERE oid = ?1 AND open = 1 LIMIT 1",
  [Q_MANIFEST_ADD] = "INSERT OR REPLACE INTO manifests"
                     " SELECT repo, ?3, ?4 FROM repos WHERE type = ?1 AND id = ?2",
  [Q_MANIFEST_GET] = "SELECT json FROM manifests JOIN repos USING (repo)"
                     " WHERE type = ?1 AND id = ?2 AND hash = ?3",
  [Q_MANIFEST_FORGET] = "DELETE FROM manifests WHERE hash = ?3 AND repo ="
                        " (SELECT repo FROM repos WHERE type = ?1 AND id = ?2)",
  [Q_MANIFEST_ANY] = "SELECT 1 FROM manifests JOIN repos USING (repo)"
                     " WHERE type = ?1 AND id = ?2 LIMIT 1",
  [Q_ROOT_ADD] = "INSERT OR REPLACE INTO root_files (path, dev, ino, size, mtime_ns, sha256, sha1)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
  [Q_ROOT_GET] = "SELECT path FROM root_files WHERE dev = ?1 AND ino = ?2 AND size = ?3"
                 " AND mtime_ns = ?4",
  [Q_ROOT_KNOWS] = "SELECT 1 FROM root_files WHERE dev = ?2 AND ino = ?3 AND size = ?4"
                   " AND mtime_ns = ?5 AND (sha256 = ?1 OR sha1 = ?1)",
  [Q_ROOT_MOVE] = "UPDATE root_files SET path = ?1 WHERE dev = ?2 AND ino = ?3",
  [Q_ROOT_PATHS] = "SELECT path FROM root_files WHERE sha256 = ?1 OR sha1 = ?1",
  [Q_ROOT_FORGET] = "DELETE FROM root_files WHERE path = ?1",
  [Q_ROOT_ALL] = "SELECT path FROM root_files",
  [Q_TRANSFER_SAVE] = "INSERT OR REPLACE INTO transfers VALUES (?1, ?2)",
  [Q_TRANSFER_FORGET] = "DELETE FROM transfers WHERE id = ?1",
  [Q_TRANSFERS] = "SELECT json FROM transfers ORDER BY id",
  [Q_COUNTER_GET] = "SELECT value FROM counters WHERE name = ?1",
  [Q_COUNTER_SET] = "INSERT OR REPLACE INTO counters VALUES (?1, ?2)",
  [Q_BEGIN] = "BEGIN IMMEDIATE",
  [Q_COMMIT] = "COMMIT",
};

struct ExoIndex
{
  GMutex mutex; /* held in every call */
  sqlite3 *db;
  char *path;
  sqlite3_stmt *statements[N_QUERIES]; /* prepared when first wanted */
};

/* Opening ------------------------------------------------------------------------------------- */

static void
index_free (ExoIndex *index)
{
  for (guint i = 0; i < N_QUERIES; i++)
    sqlite3_finalize (index->statements[i]);
  sqlite3_close (index->db);
  g_mutex_clear (&index->mutex);
  g_free (index->path);
  g_free (index);
}

static int
exec (sqlite3 *db, const char *sql)
{
  return sqlite3_exec (db, sql, NULL, NULL, NULL);
}

/* TRUE if the file reads as a whole: a torn page shows here, not weeks later in some query. */
static gboolean
is_intact (sqlite3 *db)
{
  sqlite3_stmt *statement = NULL;
  gboolean intact =
      sqlite3_prepare_v2 (db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step (statement) == SQLITE_ROW &&
      g_strcmp0 ((const char *) sqlite3_column_text (statement, 0), "ok") == 0;

  sqlite3_finalize (statement);
  return intact;
}

static int
user_version (sqlite3 *db)
{
  sqlite3_stmt *statement = NULL;
  int version = -1;

  if (sqlite3_prepare_v2 (db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step (statement) == SQLITE_ROW)
    version = sqlite3_column_int (statement, 0);
  sqlite3_finalize (statement);
  return version;
}

/* An SQLite result code; SQLITE_CORRUPT stands for a file that must be made anew. */
static int
open_db (const char *path, sqlite3 **out_db)
{
  sqlite3 *db = NULL;
  int rc = sqlite3_open_v2 (path, &db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

  if (rc == SQLITE_OK)
    rc = exec (db, "PRAGMA locking_mode = EXCLUSIVE;"
                   "PRAGMA cache_size = -256;" /* KiB */
                   "PRAGMA journal_mode = WAL;"
                   "PRAGMA journal_size_limit = 1048576;"
                   "PRAGMA synchronous = NORMAL;"
                   "PRAGMA temp_store = MEMORY;");
  if (rc == SQLITE_OK && (!is_intact (db) || user_version (db) > SCHEMA_VERSION))
    rc = SQLITE_CORRUPT;
  if (rc == SQLITE_OK)
    rc = exec (db, schema);
  /* Tables of that name with other columns: not ours */
  if (rc == SQLITE_ERROR)
    rc = SQLITE_CORRUPT;
  if (rc == SQLITE_OK)
    *out_db = db;
  else
    sqlite3_close (db);
  return rc;
}

static void
set_aside (const char *path)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };

  g_warning ("%s is damaged: it is kept as %s.damaged and made anew; "
             "the files in the cache will be hashed again",
             path, path);
  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *from = g_strconcat (path, suffixes[i], NULL);
      g_autofree char *to = g_strconcat (path, ".damaged", suffixes[i], NULL);

      rename (from, to);
    }
}

ExoIndex *
exo_index_open (const char *state_dir, GError **error)
{
  g_autofree char *path = g_build_filename (state_dir, "index.sqlite", NULL);
  sqlite3 *db = NULL;
  ExoIndex *index;
  int rc = open_db (path, &db);

  if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
    {
      set_aside (path);
      rc = open_db (path, &db);
    }
  if (rc != SQLITE_OK)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK, _ ("cannot open %s: %s"),
                   path, rc == SQLITE_BUSY ? _ ("another agent has it open") : sqlite3_errstr (rc));
      return NULL;
    }
  index = g_new0 (ExoIndex, 1);
  g_mutex_init (&index->mutex);
  index->db = db;
  index->path = g_steal_pointer (&path);
  return index;
}

void
exo_index_close (ExoIndex *index)
{
  if (index != NULL)
    index_free (index);
}

void
exo_index_sync (ExoIndex *index)
{
  /* The log itself, not a checkpoint: no lock is held while the disk works. SQLite locks the main
   * file only, so that closing this descriptor gives no lock up. */
  g_autofree char *wal = g_strconcat (index->path, "-wal", NULL);
  int fd = open (wal, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    return;
  fdatasync (fd);
  close (fd);
}

/* Running statements -------------------------------------------------------------------------- */

/* NULL if the disk refuses; then what was to be remembered is not, which costs hashing. */
static sqlite3_stmt *
prepare (ExoIndex *index, Query query)
{
  sqlite3_stmt **slot = &index->statements[query];

  if (*slot == NULL && sqlite3_prepare_v3 (index->db, queries[query], -1, SQLITE_PREPARE_PERSISTENT,
                                           slot, NULL) != SQLITE_OK)
    g_warning ("%s: %s", index->path, sqlite3_errmsg (index->db));
  return *slot;
}

/* @format: a letter per value: 's' const char *, 'i' gint64 */
static sqlite3_stmt *
bind (ExoIndex *index, Query query, const char *format, ...)
{
  sqlite3_stmt *statement = prepare (index, query);
  va_list values;

  if (statement == NULL)
    return NULL;
  va_start (values, format);
  for (int i = 0; format[i] != '\0'; i++)
    if (format[i] == 's')
      sqlite3_bind_text (statement, i + 1, va_arg (values, const char *), -1, SQLITE_TRANSIENT);
    else
      sqlite3_bind_int64 (statement, i + 1, va_arg (values, gint64));
  va_end (values);
  return statement;
}

static gboolean
step (ExoIndex *index, sqlite3_stmt *statement)
{
  int rc = statement == NULL ? SQLITE_DONE : sqlite3_step (statement);

  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    g_warning ("%s: %s", index->path, sqlite3_errmsg (index->db));
  return rc == SQLITE_ROW;
}

static void
done (sqlite3_stmt *statement)
{
  if (statement == NULL)
    return;
  sqlite3_reset (statement);
  sqlite3_clear_bindings (statement);
}

static void
run (ExoIndex *index, sqlite3_stmt *statement)
{
  step (index, statement);
  done (statement);
}

static GPtrArray *
collect (ExoIndex *index, sqlite3_stmt *statement)
{
  GPtrArray *texts = g_ptr_array_new_with_free_func (g_free);

  while (step (index, statement))
    g_ptr_array_add (texts, g_strdup ((const char *) sqlite3_column_text (statement, 0)));
  done (statement);
  return texts;
}

static gint64
number (ExoIndex *index, sqlite3_stmt *statement, gint64 otherwise)
{
  gint64 value = step (index, statement) ? sqlite3_column_int64 (statement, 0) : otherwise;

  done (statement);
  return value;
}

/* Blobs --------------------------------------------------------------------------------------- */

static gint64
mtime_ns (const struct stat *st)
{
  return (gint64) st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

void
exo_index_add_blob (ExoIndex *index,
                    const char *oid,
                    const char *path,
                    const struct stat *st,
                    gboolean good)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_BLOB_ADD, "ssiiiii", oid, path, (gint64) st->st_dev,
                    (gint64) st->st_ino, (gint64) st->st_size, mtime_ns (st), (gint64) good));
}

void
exo_index_forget_path (ExoIndex *index, const char *path)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_BLOB_FORGET, "s", path));
}

gboolean
exo_index_knows (ExoIndex *index,
                 const char *oid,
                 const char *path,
                 const struct stat *st,
                 gboolean *out_good)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);
  gint64 good = number (index,
                        bind (index, Q_BLOB_KNOWS, "ssiiii", oid, path, (gint64) st->st_dev,
                              (gint64) st->st_ino, (gint64) st->st_size, mtime_ns (st)),
                        -1);

  if (good < 0)
    return FALSE;
  *out_good = good != 0;
  return TRUE;
}

GPtrArray *
exo_index_paths (ExoIndex *index, const char *oid)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return collect (index, bind (index, Q_BLOB_PATHS, "s", oid));
}

guint64
exo_index_bytes (ExoIndex *index)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return (guint64) number (index, bind (index, Q_BLOB_BYTES, ""), 0);
}

/* Repos --------------------------------------------------------------------------------------- */

void
exo_index_set_repo_open (ExoIndex *index, ExoRepoType type, const char *id, gboolean open)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_REPO_MAKE, "is", (gint64) type, id));
  run (index, bind (index, Q_REPO_SET_OPEN, "isi", (gint64) type, id, (gint64) (open != FALSE)));
}

int
exo_index_repo_open (ExoIndex *index, ExoRepoType type, const char *id)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return (int) number (index, bind (index, Q_REPO_OPEN, "is", (gint64) type, id), -1);
}

void
exo_index_add_member (ExoIndex *index, ExoRepoType type, const char *id, const char *oid)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_REPO_MAKE, "is", (gint64) type, id));
  run (index, bind (index, Q_MEMBER_ADD, "iss", (gint64) type, id, oid));
}

gboolean
exo_index_blob_is_open (ExoIndex *index, const char *oid)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return number (index, bind (index, Q_BLOB_OPEN, "s", oid), 0) != 0;
}

/* Manifests ----------------------------------------------------------------------------------- */

void
exo_index_note_manifest (ExoIndex *index, ExoManifest *manifest)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);
  g_autofree char *json = exo_manifest_to_json (manifest);
  gint64 type = exo_manifest_type (manifest);
  const char *id = exo_manifest_id (manifest), *commit = exo_manifest_commit (manifest);
  sqlite3_stmt *get = bind (index, Q_MANIFEST_GET, "iss", type, id, commit);
  gboolean known =
      step (index, get) && g_strcmp0 ((const char *) sqlite3_column_text (get, 0), json) == 0;

  done (get);
  run (index, bind (index, Q_BEGIN, ""));
  run (index, bind (index, Q_REPO_MAKE, "is", type, id));
  run (index, bind (index, Q_REPO_SET_OPEN, "isi", type, id,
                    (gint64) (exo_manifest_is_open (manifest) != FALSE)));
  if (!known)
    {
      run (index, bind (index, Q_MANIFEST_ADD, "isss", type, id, commit, json));
      for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
        run (index,
             bind (index, Q_MEMBER_ADD, "iss", type, id, exo_manifest_file (manifest, i)->oid));
    }
  run (index, bind (index, Q_COMMIT, ""));
}

char *
exo_index_manifest (ExoIndex *index, ExoRepoType type, const char *id, const char *commit)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);
  sqlite3_stmt *get = bind (index, Q_MANIFEST_GET, "iss", (gint64) type, id, commit);
  char *json = step (index, get) ? g_strdup ((const char *) sqlite3_column_text (get, 0)) : NULL;

  done (get);
  return json;
}

void
exo_index_forget_manifest (ExoIndex *index, ExoRepoType type, const char *id, const char *commit)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_MANIFEST_FORGET, "iss", (gint64) type, id, commit));
}

gboolean
exo_index_has_manifest (ExoIndex *index, ExoRepoType type, const char *id)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return number (index, bind (index, Q_MANIFEST_ANY, "is", (gint64) type, id), 0) != 0;
}

/* Files of the roots -------------------------------------------------------------------------- */

void
exo_index_add_root_file (ExoIndex *index,
                         const char *path,
                         const struct stat *st,
                         const char *sha256,
                         const char *sha1)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_ROOT_ADD, "siiiiss", path, (gint64) st->st_dev, (gint64) st->st_ino,
                    (gint64) st->st_size, mtime_ns (st), sha256, sha1));
}

char *
exo_index_root_path (ExoIndex *index, const struct stat *st)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);
  sqlite3_stmt *get = bind (index, Q_ROOT_GET, "iiii", (gint64) st->st_dev, (gint64) st->st_ino,
                            (gint64) st->st_size, mtime_ns (st));
  char *path = step (index, get) ? g_strdup ((const char *) sqlite3_column_text (get, 0)) : NULL;

  done (get);
  return path;
}

void
exo_index_move_root_file (ExoIndex *index, const char *path, const struct stat *st)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_ROOT_MOVE, "sii", path, (gint64) st->st_dev, (gint64) st->st_ino));
}

gboolean
exo_index_root_knows (ExoIndex *index, const char *oid, const struct stat *st)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return number (index,
                 bind (index, Q_ROOT_KNOWS, "siiii", oid, (gint64) st->st_dev, (gint64) st->st_ino,
                       (gint64) st->st_size, mtime_ns (st)),
                 0) != 0;
}

GPtrArray *
exo_index_root_paths (ExoIndex *index, const char *oid)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return collect (index, bind (index, Q_ROOT_PATHS, "s", oid));
}

GPtrArray *
exo_index_all_root_paths (ExoIndex *index)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return collect (index, bind (index, Q_ROOT_ALL, ""));
}

void
exo_index_forget_root_path (ExoIndex *index, const char *path)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_ROOT_FORGET, "s", path));
}

/* Transfers and counters ---------------------------------------------------------------------- */

void
exo_index_save_transfer (ExoIndex *index, guint id, const char *json)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_TRANSFER_SAVE, "is", (gint64) id, json));
}

void
exo_index_forget_transfer (ExoIndex *index, guint id)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_TRANSFER_FORGET, "i", (gint64) id));
}

GPtrArray *
exo_index_transfers (ExoIndex *index)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return collect (index, bind (index, Q_TRANSFERS, ""));
}

guint64
exo_index_counter (ExoIndex *index, const char *name)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  return (guint64) number (index, bind (index, Q_COUNTER_GET, "s", name), 0);
}

void
exo_index_set_counter (ExoIndex *index, const char *name, guint64 value)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&index->mutex);

  run (index, bind (index, Q_COUNTER_SET, "si", name, (gint64) value));
}
