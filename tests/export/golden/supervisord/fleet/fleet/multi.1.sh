#!/bin/sh
# Made by procman export supervisord for fleet. Changes made here are lost at the next export.
# multi.1: started by fleet.conf

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/multi.1.env"
cd /srv/fleet || exit 111
set -- "$@" /bin/sh -c 'trap '\''exit 143'\'' TERM; ./a & ./b & wait'
# A shell starts its background commands with INT and QUIT ignored, and they would outlive a shell that is killed.
if setsid setpriv --pdeathsig KILL env --default-signal=INT,QUIT true 2>/dev/null; then
    set -- setpriv --pdeathsig KILL env --default-signal=INT,QUIT "$@"
    procman_watches=yes
fi
if [ "$(id -un)" != deploy ]; then
    set -- setpriv --reuid deploy --regid "$(id -g deploy)" --init-groups /usr/bin/env HOME="$(getent passwd deploy | cut -d: -f6)" USER=deploy LOGNAME=deploy "$@"
fi
# Without these tools of util-linux and coreutils, supervisord signals the program and its group together.
[ -n "$procman_watches" ] || exec "$@"

# supervisord signals this shell, which lasts as long as the program's group:
# the whole group gets the signal, and KILL after the grace.
stop() {
    trap '' TERM
    kill -s TERM -- "-$program" || kill -s TERM "$program"
    kill -s CONT -- "-$program"
    sweep
    wait "$program"
    exit "${code:-$?}"
} 2>/dev/null
sweep() {
    while kill -s 0 -- "-$program" && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
    kill -s KILL -- "-$program"
} 2>/dev/null

trap procman_asked=yes TERM
setsid "$@" &
program=$! left=50 code=
trap stop TERM
for signal in HUP INT QUIT USR1 USR2; do trap "kill -s $signal $program" "$signal"; done
[ -z "$procman_asked" ] || stop
since=$(date +%s)
# A signal that is passed on ends the wait, but not the program.
until wait "$program"; code=$?; ! kill -s 0 "$program"; do code=; done 2>/dev/null
kill -s TERM -- "-$program" 2>/dev/null && sweep
# To supervisord, an exit within startsecs is a failure, whatever its code: so a success exits a little later.
case "$code" in 0) while [ "$(($(date +%s) - since))" -le 10 ]; do sleep 1; done ;; esac
exit "$code"
