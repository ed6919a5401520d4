# SPDX-License-Identifier: Apache-2.0
# What there is to complete is asked of exoctl: of its help, and of the agent.

_exoctl_listed()
{
  LC_ALL=C exoctl help 2>/dev/null | sed -n "/^$1:\$/,/^\$/s/^  \\([a-z-]*\\)  *.*/\\1/p"
}

_exoctl_options()
{
  LC_ALL=C exoctl help "$1" 2>/dev/null | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

# compgen expands its words: nothing but names as the Hub allows them goes there.
_exoctl_models()
{
  exoctl models --json 2>/dev/null | sed -n 's/.*"model":"\([A-Za-z0-9._/-]*\)".*/\1/p' | sort -u
}

_exoctl_transfers()
{
  exoctl status --json 2>/dev/null | sed -n 's/.*"id":\([0-9]*\),.*/\1/p'
}

# With $1 after each.
_exoctl_limits()
{
  LC_ALL=C exoctl limits 2>/dev/null | sed -n "s/^\([a-z]*-[a-z-]*\)  .*/\1$1/p"
}

_exoctl_arguments()
{
  case $1 in
    help) _exoctl_listed Commands; _exoctl_listed Topics ;;
    pull) _exoctl_models ;;
    status) _exoctl_transfers ;;
    pause | resume | cancel) _exoctl_transfers; echo all ;;
    limits)
      # bash takes "hub-rate=20MB/s" for three words.
      case $COMP_CWORD:${COMP_WORDS[2]}:${COMP_WORDS[COMP_CWORD - 1]}${COMP_WORDS[COMP_CWORD]} in
        2:*) echo set reset ;;
        *=*) ;;
        *:set:*) _exoctl_limits = ;;
        *:reset:*) _exoctl_limits ;;
      esac ;;
    models) if [ "$COMP_CWORD" -eq 2 ]; then echo list rm verify; else _exoctl_models; fi ;;
  esac
}

_exoctl()
{
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words

  # bash takes "--type=model" for three words.
  if [ "$current" = = ]; then
    current=
  elif [ "$previous" = = ]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="$(_exoctl_listed Commands) --help --version"
  elif [ "$previous" = --type ]; then
    words='model dataset space'
  elif [ "$previous" = --include ] || [ "$previous" = --exclude ]; then
    words=
  elif [ "${current#-}" != "$current" ]; then
    words=$(_exoctl_options "${COMP_WORDS[1]}")
  else
    words=$(_exoctl_arguments "${COMP_WORDS[1]}")
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  case ${COMPREPLY[0]} in
    *=) compopt -o nospace 2>/dev/null ;;
  esac
}

complete -F _exoctl exoctl
