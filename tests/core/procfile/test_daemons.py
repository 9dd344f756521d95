"""Which programs leave the foreground, because of which argument, and what keeps them there."""

from __future__ import annotations

import pytest

from procman.core.procfile.daemons import daemon

STAY = """
web
web -d -D --detach
celery worker
celery worker --no-detach -D
celery -D no
celery -D 0
celery --detach=false
celery worker --detach=yes
web --daemon=off
web --daemonize no
gradle --daemon
artisan --daemon
rails -d
rails db -d
rails server
rails console server -d
tmux attach -d
tmux new
overmind s
rails x server -d
celery multi
celery multi stop w1
pm
pm stop start-later
pm start x --no-daemon
apachectl start -DFOREGROUND
apachectl FOREGROUND start
service postgresql status
cron -f
cron -fn
cron --help
cron -V
twistd -noy x.tac
twistd --nodaemon
sshd -De
mailcatcher -vf
dnsmasq --no-daemon
lighttpd -t
nginx -t
nginx -s
nginx -c conf
nginx -p .
nginx -g daemon_off
nginx -g $OPTIONS
ssh host -f
ssh -N host
ssh -L f host
ssh -Lf host
ssh -NLf host
docker
docker ps
docker --debug
docker run web -d
docker run -v d web
docker run -vd web
docker run --rm --name -d web
docker run --detach=false web
docker run --init web --detach
docker run -- -d
docker exec -it web sh -d
docker compose -d ps
docker compose up web
docker up
docker --debug start -a web
docker start -a web
docker start --attach web
docker start -ai web
docker start -i web
docker start --interactive web
docker restart web
"""

# Each with the number of the word that sends it away, and the beginning of what is said about it.
LEAVE = """
1 -D | gunicorn -D
2 -D | gunicorn app -D no-more
1 -D | gunicorn -D x no
2 -d | rails s -d x
1 -D | php-fpm -D
3 -D | celery -A x -D -l info
2 --detach | celery worker --detach
1 --daemon | web --daemon
2 --daemonize=yes | web x --daemonize=yes
1 --daemonise | web --daemonise on
1 --daemon | gunicorn --daemon
2 -d | rails s -d
3 --daemon | rails server x --daemon
2 -d | tmux new -d
2 -D | overmind start -D
1 celery multi | celery multi start w1
3 celery multi | celery -A x multi restart
1 pm2 start | pm start x
2 pm2 reload | pm x reload
1 apachectl start | apachectl start
2 service start | service postgresql start
0 cron becomes a daemon without -f | cron
0 cron becomes a daemon without -f | cron -n x
0 cron becomes a daemon without -f | cron -1f
0 mailcatcher becomes a daemon without -f | mailcatcher -- -o
0 sshd becomes a daemon without -D | sshd -p 22
0 twistd becomes a daemon without -n | twistd x-n
0 dnsmasq becomes a daemon without -k | dnsmasq --port=53
0 mailcatcher becomes a daemon without -f | mailcatcher --fast -1f
0 nginx becomes a daemon without -g | nginx
0 nginx becomes a daemon without -g | nginx -g daemon_on
1 -f | ssh -f host
1 -fN | ssh -fN host
1 -Nf | ssh -Nf host
3 -f | ssh -L x -f host
2 -f | autossh -Lx -f host
2 -d | docker run -d web
2 -dit | docker run -dit web
2 -itd | docker run -itd web
3 -d | docker run --rm -d web
4 -d | docker run --name x -d web
3 -d | docker run --name=x -d web
3 -d | docker run -ex -d web
4 -d | docker run -e x -d web
2 --detach | podman run --detach web
2 --detach=true | podman run --detach=true web
2 -d | docker exec -d web sh
3 -d | docker compose up -d
4 -d | docker compose up web -d
3 --wait | docker compose up --wait
7 -d | docker --context x compose -f y up -d
4 -d | docker --debug container run -d web
1 docker start | docker start web
1 docker start | docker start web -x
2 docker start | docker container start web
2 -d | docker-compose up -d
3 -d | docker-compose up -- -d
"""


def program(line: str) -> list[str]:
    return [word.replace("daemon_o", "daemon o") for word in line.split()]


@pytest.mark.parametrize("line", STAY.strip().split("\n"))
def test_a_program_that_stays_in_the_foreground_or_cannot_be_judged(line: str) -> None:
    assert daemon(program(line)) is None


@pytest.mark.parametrize("line", LEAVE.strip().split("\n"))
def test_a_program_that_leaves_the_foreground(line: str) -> None:
    said, _, words = line.partition(" | ")
    at, _, message = said.partition(" ")
    found = daemon(program(words))
    assert found is not None
    assert found[0] == int(at)
    assert found[1].startswith(message)
    assert found[1].endswith("so it will be treated as exited immediately")
    assert "without" in message or f"{message} makes it a daemon," in found[1]


def test_nothing_is_no_daemon() -> None:
    assert daemon([]) is None
