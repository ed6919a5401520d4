/* liar.c - makes an agent serve wrong bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into one agent of the lab, it turns one bit of every block that sendfile() sends, so
 * that everything but the bytes is as it should be.
 */

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK 65536

/* One block; as send(). */
static ssize_t
send_block (int out, int in, off64_t at, size_t count)
{
  char block[BLOCK];
  ssize_t got = pread64 (in, block, count < BLOCK ? count : BLOCK, at);

  if (got <= 0)
    return got;
  block[got / 2] ^= 1;
  return send (out, block, (size_t) got, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* As much as the socket takes: an edge-triggered server takes a short count for a full socket. */
ssize_t
sendfile64 (int out, int in, off64_t *offset, size_t count)
{
  off64_t at = offset != NULL ? *offset : lseek64 (in, 0, SEEK_CUR);
  size_t total = 0;

  while (total < count)
    {
      ssize_t sent = send_block (out, in, at + (off64_t) total, count - total);

      if (sent <= 0 && total == 0)
        return sent;
      if (sent <= 0)
        break;
      total += (size_t) sent;
    }
  if (offset != NULL)
    *offset = at + (off64_t) total;
  else
    lseek64 (in, at + (off64_t) total, SEEK_SET);
  return (ssize_t) total;
}

ssize_t
sendfile (int out, int in, off_t *offset, size_t count)
{
  off64_t at = offset != NULL ? *offset : 0;
  ssize_t sent = sendfile64 (out, in, offset != NULL ? &at : NULL, count);

  if (offset != NULL)
    *offset = (off_t) at;
  return sent;
}
