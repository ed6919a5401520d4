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

ssize_t
sendfile64 (int out, int in, off64_t *offset, size_t count)
{
  char block[BLOCK];
  off64_t at = offset != NULL ? *offset : lseek64 (in, 0, SEEK_CUR);
  ssize_t got = pread64 (in, block, count < BLOCK ? count : BLOCK, at), sent;

  if (got <= 0)
    return got;
  block[got / 2] ^= 1;
  sent = send (out, block, (size_t) got, MSG_NOSIGNAL);
  if (sent <= 0)
    return sent;
  if (offset != NULL)
    *offset = at + sent;
  else
    lseek64 (in, at + sent, SEEK_SET);
  return sent;
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
