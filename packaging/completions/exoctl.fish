# SPDX-License-Identifier: Apache-2.0
# What there is to complete is asked of exoctl: of its help, and of the agent.

function __exoctl_listed --argument-names title
    LC_ALL=C exoctl help 2>/dev/null | sed -n "/^$title:\$/,/^\$/s/^  \\([a-z-]*\\)  *\\(.*\\)/\\1\t\\2/p"
end

function __exoctl_options
    set -l words (commandline -opc)
    LC_ALL=C exoctl help $words[2] 2>/dev/null | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z-]*\)[^ ]*  *\(.*\)/\2\t\3/p'
end

function __exoctl_models
    exoctl models --json 2>/dev/null | sed -n 's/.*"model":"\([A-Za-z0-9._\/-]*\)".*/\1/p' | sort -u
end

function __exoctl_transfers
    exoctl status --json 2>/dev/null | sed -n 's/.*"id":\([0-9]*\),"model":"\([A-Za-z0-9._\/-]*\)".*/\1\t\2/p'
end

function __exoctl_after
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv
end

function __exoctl_starts
    test (count (commandline -opc)) -eq 1
end

function __exoctl_limits
    LC_ALL=C exoctl limits 2>/dev/null | sed -n 's/^\([a-z]*-[a-z-]*\)  .*/\1/p'
end

function __exoctl_limits_verb
    set -l words (commandline -opc)
    test (count $words) -gt 2; and test "$words[2] $words[3]" = "limits $argv"
end

function __exoctl_verb
    test (count (commandline -opc)) -eq 2; and __exoctl_after $argv
end

function __exoctl_verb_is_there
    test (count (commandline -opc)) -gt 2; and __exoctl_after models
end

complete -c exoctl -f
complete -c exoctl -n __exoctl_starts -a '(__exoctl_listed Commands)'
complete -c exoctl -n __exoctl_starts -a '--help --version'
complete -c exoctl -n 'not __exoctl_starts; and string match -q -- "-*" (commandline -ct)' -a '(__exoctl_options)'
complete -c exoctl -n '__exoctl_after pull models' -l type -x -a 'model dataset space'
complete -c exoctl -n '__exoctl_after help' -a '(__exoctl_listed Commands; __exoctl_listed Topics)'
complete -c exoctl -n '__exoctl_after pull' -a '(__exoctl_models)'
complete -c exoctl -n '__exoctl_after status pause resume cancel' -a '(__exoctl_transfers)'
complete -c exoctl -n '__exoctl_after pause resume cancel' -a all
complete -c exoctl -n '__exoctl_verb models' -a 'list rm verify'
complete -c exoctl -n '__exoctl_verb limits' -a 'set reset'
complete -c exoctl -n '__exoctl_limits_verb set' -a '(__exoctl_limits)='
complete -c exoctl -n '__exoctl_limits_verb reset' -a '(__exoctl_limits)'
complete -c exoctl -n __exoctl_verb_is_there -a '(__exoctl_models)'
