#!/bin/sh
# Made by procman export supervisord for shop. Changes made here are lost at the next export.
# web.2: started by shop.conf

# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. "${0%/*}/web.2.env"
cd /srv/shop || exit 111
set -- "$@" /bin/sh -c 'exec gunicorn shop.wsgi --bind 0.0.0.0:$PORT'
if [ "$(id -un)" != deploy ]; then
    set -- setpriv --reuid deploy --regid "$(id -g deploy)" --init-groups "$@"
fi
exec "$@"
