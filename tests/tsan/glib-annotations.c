/* glib-annotations.c - tells ThreadSanitizer where GLib hands memory from one thread to another
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Distributions build GLib without instrumentation, and its locks are futexes, so the sanitizer sees
 * neither them nor queues, pools, sources and reference counts, and calls every hand-over a race. The
 * functions here have the names of GLib's. Linked into a program they win over the library's, for calls
 * from our code and from GIO, GObject and the other libraries above GLib; each does what the real one
 * does, and says which happens-before edge that made. Calls inside GLib itself are bound when it is
 * linked and never come by here.
 *
 * The edges are as narrow as GLib's promise: an item pushed is seen by who pops that item, a source
 * attached by what that source runs. The locks inside GLib would order more than that, by accident of
 * timing, and what only they order is a race of ours that should be reported.
 *
 * Not here, because the sanitizer sees them without help: GRecMutex, GRWLock, GPrivate, g_thread_new()
 * and g_thread_join(), all made of pthreads; g_atomic_int_*() and g_atomic_pointer_*() in our own code,
 * which are the compiler's.
 *
 * Part of the unit tests and the stand-in Hub of builds with b_sanitize=thread, and of nothing else.
 */

#include <dlfcn.h>
#include <gio/gio.h>
#include <sanitizer/tsan_interface.h>
#include <sys/epoll.h>

/* Some of the names are macros around the functions. */
#undef g_atomic_rc_box_acquire
#undef g_object_ref
#undef g_once_init_enter
#undef g_once_init_leave

/* Addresses below are numbers in a pointer's clothes, which the sanitizer cannot keep a clock for. */
#define LOWEST_ADDRESS 65536

/* The library's own function of this name, as "real". */
#define REAL(name)                                                                                 \
  static gpointer cached_##name;                                                                   \
  __typeof__ (name) *real = (__typeof__ (name) *) find_real (&cached_##name, #name)

static gpointer
find_real (gpointer *cached, const char *name)
{
  gpointer found = __atomic_load_n (cached, __ATOMIC_ACQUIRE);

  if (found == NULL)
    {
      found = dlsym (RTLD_NEXT, name);
      if (found == NULL)
        __builtin_trap ();
      __atomic_store_n (cached, found, __ATOMIC_RELEASE);
    }
  return found;
}

/* The linker drops a library of which a program needs nothing that is not defined here already. */
__attribute__ ((used)) static void
need_libraries (void)
{
  g_type_ensure (G_TYPE_CANCELLABLE);
}

/* What to keep the clock of @item at; @owner stands in for what is no address. */
static gpointer
clock_of (gpointer item, gpointer owner)
{
  return (guintptr) item < LOWEST_ADDRESS ? owner : item;
}

/* GLib allocates an entry of a queue for who pushes and frees it for who pops, ordered by its own lock.
 * An allocation made between these counts as no write, so that freeing it elsewhere is no race. From
 * the sanitizer's runtime, which has no header for them.
 */
void AnnotateIgnoreReadsBegin (const char *file, int line);
void AnnotateIgnoreReadsEnd (const char *file, int line);
void AnnotateIgnoreWritesBegin (const char *file, int line);
void AnnotateIgnoreWritesEnd (const char *file, int line);

/* Locks --------------------------------------------------------------------------------------- */

void
g_mutex_init (GMutex *mutex)
{
  REAL (g_mutex_init);

  __tsan_mutex_create (mutex, __tsan_mutex_not_static);
  real (mutex);
}

void
g_mutex_clear (GMutex *mutex)
{
  REAL (g_mutex_clear);

  real (mutex);
  __tsan_mutex_destroy (mutex, 0);
}

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock);

  __tsan_mutex_pre_lock (mutex, 0);
  real (mutex);
  __tsan_mutex_post_lock (mutex, 0, 0);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  REAL (g_mutex_trylock);
  gboolean locked;

  __tsan_mutex_pre_lock (mutex, __tsan_mutex_try_lock);
  locked = real (mutex);
  __tsan_mutex_post_lock (mutex,
                          __tsan_mutex_try_lock | (locked ? 0 : __tsan_mutex_try_lock_failed), 0);
  return locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  REAL (g_mutex_unlock);

  __tsan_mutex_pre_unlock (mutex, 0);
  real (mutex);
  __tsan_mutex_post_unlock (mutex, 0);
}

/* A wait gives the mutex up and takes it again; who signals holds it, or says nothing by signalling. */
void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait);

  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  real (cond, mutex);
  __tsan_mutex_pre_lock (mutex, 0);
  __tsan_mutex_post_lock (mutex, 0, 0);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  REAL (g_cond_wait_until);
  gboolean signalled;

  __tsan_mutex_pre_unlock (mutex, 0);
  __tsan_mutex_post_unlock (mutex, 0);
  signalled = real (cond, mutex, end_time);
  __tsan_mutex_pre_lock (mutex, 0);
  __tsan_mutex_post_lock (mutex, 0, 0);
  return signalled;
}

/* The fast way past a once is an atomic load in the caller, which takes the clock left here. */
gboolean (g_once_init_enter) (volatile void *location)
{
  REAL (g_once_init_enter);
  gboolean first = real (location);

  if (!first)
    __tsan_acquire ((void *) location);
  return first;
}

void (g_once_init_leave) (volatile void *location, gsize result)
{
  REAL (g_once_init_leave);

  __tsan_release ((void *) location);
  real (location, result);
}

/* Queues -------------------------------------------------------------------------------------- */

void
g_async_queue_push (GAsyncQueue *queue, gpointer data)
{
  REAL (g_async_queue_push);

  __tsan_release (clock_of (data, queue));
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  real (queue, data);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
}

static gpointer
popped (GAsyncQueue *queue, gpointer data)
{
  if (data != NULL)
    __tsan_acquire (clock_of (data, queue));
  return data;
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  REAL (g_async_queue_pop);

  return popped (queue, real (queue));
}

gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
  REAL (g_async_queue_try_pop);

  return popped (queue, real (queue));
}

gpointer
g_async_queue_timeout_pop (GAsyncQueue *queue, guint64 timeout)
{
  REAL (g_async_queue_timeout_pop);

  return popped (queue, real (queue, timeout));
}

/* Thread pools -------------------------------------------------------------------------------- */

typedef struct
{
  GFunc func;
  gpointer user_data;
} Pool; /* the user data of the real pool; its address is the clock of what its threads did */

static void
pool_run (gpointer data, gpointer user_data)
{
  Pool *pool = user_data;

  __tsan_acquire (clock_of (data, pool));
  pool->func (data, pool->user_data);
  __tsan_release (pool);
}

GThreadPool *
g_thread_pool_new (GFunc func,
                   gpointer user_data,
                   gint max_threads,
                   gboolean exclusive,
                   GError **error)
{
  REAL (g_thread_pool_new);
  Pool *pool = g_new (Pool, 1);
  GThreadPool *made;

  *pool = (Pool){ func, user_data };
  /* The last thread frees it, which may be one that GLib lent from another pool. */
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  made = real (pool_run, pool, max_threads, exclusive, error);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  return made;
}

/* What is read here the last thread frees, under a lock of GLib's that every push and free took before. */
static Pool *
pool_of (const GThreadPool *thread_pool)
{
  Pool *pool;

  AnnotateIgnoreReadsBegin (__FILE__, __LINE__);
  pool = thread_pool->user_data;
  AnnotateIgnoreReadsEnd (__FILE__, __LINE__);
  return pool;
}

gboolean
g_thread_pool_push (GThreadPool *thread_pool, gpointer data, GError **error)
{
  REAL (g_thread_pool_push);
  gboolean pushed;

  __tsan_release (clock_of (data, pool_of (thread_pool)));
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  pushed = real (thread_pool, data, error);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  return pushed;
}

/* Only who waits knows what the threads did, and that none still needs the Pool. */
void
g_thread_pool_free (GThreadPool *thread_pool, gboolean immediate, gboolean wait)
{
  REAL (g_thread_pool_free);
  Pool *pool = pool_of (thread_pool);

  /* The last thread frees entries of the queue made here. */
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  real (thread_pool, immediate, wait);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  if (wait)
    {
      __tsan_acquire (pool);
      g_free (pool);
    }
}

/* Main contexts ------------------------------------------------------------------------------- */

typedef struct
{
  GSourceFunc func;
  gpointer user_data;
  GDestroyNotify notify; /* NULL if there is none */
} Callback;

static gboolean
callback_run (gpointer user_data)
{
  Callback *callback = user_data;
  GSource *source = g_main_current_source ();
  gboolean again;

  __tsan_acquire (callback);
  /* None if the context was invoked by its owner. */
  if (source != NULL)
    __tsan_acquire (source);
  again = callback->func (callback->user_data);
  __tsan_release (callback);
  return again;
}

static void
callback_free (gpointer user_data)
{
  Callback *callback = user_data;

  __tsan_acquire (callback);
  if (callback->notify != NULL)
    callback->notify (callback->user_data);
  g_free (callback);
}

static Callback *
callback_new (GSourceFunc func, gpointer user_data, GDestroyNotify notify)
{
  Callback *callback = g_new (Callback, 1);

  *callback = (Callback){ func, user_data, notify };
  __tsan_release (callback);
  return callback;
}

/* Only idle and timeout sources are known to call with the user data as the first argument. */
void
g_source_set_callback (GSource *source, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  REAL (g_source_set_callback);

  if (func != NULL &&
      (source->source_funcs == &g_idle_funcs || source->source_funcs == &g_timeout_funcs))
    real (source, callback_run, callback_new (func, data, notify), callback_free);
  else
    real (source, func, data, notify);
}

/* The context keeps a list and a table of its sources, which any thread makes larger and any other, by
 * the drop of a last reference, smaller.
 */
guint
g_source_attach (GSource *source, GMainContext *context)
{
  REAL (g_source_attach);
  guint id;

  __tsan_release (source);
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  id = real (source, context);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  return id;
}

void
g_source_set_ready_time (GSource *source, gint64 ready_time)
{
  REAL (g_source_set_ready_time);

  __tsan_release (source);
  real (source, ready_time);
}

/* The short forms set callback and context inside GLib, out of sight: here again, with the above. */
static guint
add (GSource *source, gint priority, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  guint id;

  g_source_set_priority (source, priority);
  g_source_set_callback (source, function, data, notify);
  id = g_source_attach (source, NULL);
  g_source_unref (source);
  return id;
}

guint
g_idle_add_full (gint priority, GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  return add (g_idle_source_new (), priority, function, data, notify);
}

guint
g_idle_add (GSourceFunc function, gpointer data)
{
  return add (g_idle_source_new (), G_PRIORITY_DEFAULT_IDLE, function, data, NULL);
}

guint
g_timeout_add_full (gint priority,
                    guint interval,
                    GSourceFunc function,
                    gpointer data,
                    GDestroyNotify notify)
{
  return add (g_timeout_source_new (interval), priority, function, data, notify);
}

guint
g_timeout_add (guint interval, GSourceFunc function, gpointer data)
{
  return add (g_timeout_source_new (interval), G_PRIORITY_DEFAULT, function, data, NULL);
}

guint
g_timeout_add_seconds (guint interval, GSourceFunc function, gpointer data)
{
  return add (g_timeout_source_new_seconds (interval), G_PRIORITY_DEFAULT, function, data, NULL);
}

void
g_main_context_invoke_full (GMainContext *context,
                            gint priority,
                            GSourceFunc function,
                            gpointer data,
                            GDestroyNotify notify)
{
  REAL (g_main_context_invoke_full);

  real (context, priority, callback_run, callback_new (function, data, notify), callback_free);
}

void
g_main_context_invoke (GMainContext *context, GSourceFunc function, gpointer data)
{
  g_main_context_invoke_full (context, G_PRIORITY_DEFAULT, function, data, NULL);
}

void
g_main_loop_quit (GMainLoop *loop)
{
  REAL (g_main_loop_quit);

  __tsan_release (loop);
  real (loop);
}

void
g_main_loop_run (GMainLoop *loop)
{
  REAL (g_main_loop_run);

  real (loop);
  __tsan_acquire (loop);
}

void
g_cancellable_cancel (GCancellable *cancellable)
{
  REAL (g_cancellable_cancel);

  if (cancellable != NULL)
    __tsan_release (cancellable);
  real (cancellable);
}

gboolean
g_cancellable_is_cancelled (GCancellable *cancellable)
{
  REAL (g_cancellable_is_cancelled);
  gboolean cancelled = real (cancellable);

  if (cancelled)
    __tsan_acquire (cancellable);
  return cancelled;
}

/* Reference counts ---------------------------------------------------------------------------- */

/* What was done with an object while a reference was held comes before what frees it. Which drop is
 * the last is only known inside, where it is too late to say (g_atomic_ref_count_dec() alone tells), so each takes what the
 * earlier ones left. Two drops at the very same time may still miss each other: GDBus's thread and the main one do that with
 * messages in 1 of 16 runs of test-dbus, which has no other threads and so is not judged.
 */
static void
drop (gpointer object)
{
  if (object != NULL)
    {
      __tsan_release (object);
      __tsan_acquire (object);
    }
}

#define ANNOTATE_DROP(function, Type)                                                              \
  void function (Type *object)                                                                     \
  {                                                                                                \
    REAL (function);                                                                               \
                                                                                                   \
    drop (object);                                                                                 \
    real (object);                                                                                 \
  }

ANNOTATE_DROP (g_object_unref, void)
ANNOTATE_DROP (g_bytes_unref, GBytes)
ANNOTATE_DROP (g_variant_unref, GVariant)
ANNOTATE_DROP (g_ptr_array_unref, GPtrArray)
ANNOTATE_DROP (g_hash_table_unref, GHashTable)
ANNOTATE_DROP (g_async_queue_unref, GAsyncQueue)
ANNOTATE_DROP (g_source_unref, GSource)
ANNOTATE_DROP (g_main_context_unref, GMainContext)
ANNOTATE_DROP (g_main_loop_unref, GMainLoop)
ANNOTATE_DROP (g_closure_unref, GClosure)

void
g_atomic_rc_box_release (gpointer mem_block)
{
  REAL (g_atomic_rc_box_release);

  drop (mem_block);
  real (mem_block);
}

void
g_atomic_rc_box_release_full (gpointer mem_block, GDestroyNotify clear_func)
{
  REAL (g_atomic_rc_box_release_full);

  drop (mem_block);
  real (mem_block, clear_func);
}

gboolean
g_atomic_ref_count_dec (gatomicrefcount *arc)
{
  REAL (g_atomic_ref_count_dec);
  gboolean last;

  __tsan_release (arc);
  last = real (arc);
  if (last)
    __tsan_acquire (arc);
  return last;
}

/* curl ------------------------------------------------------------------------------------------ */

/* curl says that a socket is not to be watched any longer when it has closed it already, and by then its number may be that of
 * a file that another thread has opened. The kernel goes by the file, which it never watched: nothing is done.
 */
int
epoll_ctl (int epoll_fd, int operation, int fd, struct epoll_event *event)
{
  REAL (epoll_ctl);
  int result;

  if (operation != EPOLL_CTL_DEL)
    return real (epoll_fd, operation, fd, event);
  AnnotateIgnoreReadsBegin (__FILE__, __LINE__);
  result = real (epoll_fd, operation, fd, event);
  AnnotateIgnoreReadsEnd (__FILE__, __LINE__);
  return result;
}
