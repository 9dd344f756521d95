#!/bin/sh
# Made by procman export launchd for shop. Changes made here are lost at the next export.
# worker.1: started by shop.worker.1.plist

# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. "${0%/*}/worker.1.env"
cd /srv/shop || exit 111
set -- "$@" /bin/sh -c 'exec celery -A shop worker'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
