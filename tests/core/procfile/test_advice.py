"""Advice about commands, and above all its absence, on lines from real projects."""

from __future__ import annotations

import pytest

from procman.core.procfile.advice import MAX_LENGTH, advise
from procman.core.procfile.parser import parse_procfile

SILENT = """
a: (./helper) & exec ./server '&'
web: bundle exec puma -C config/puma.rb
web: bin/rails server
web: bin/rails server -b 0.0.0.0 -p ${PORT:-3000}
web: bundle exec unicorn -c config/unicorn.rb -p $PORT
web: bundle exec thin start -p $PORT -e production
web: bundle exec rackup config.ru
web: puma -d
web: gunicorn bakery.wsgi --log-file -
web: gunicorn --worker-class uvicorn.workers.UvicornWorker bakery.asgi:application
web: python manage.py migrate && gunicorn bakery.wsgi
web: python manage.py runserver 0.0.0.0:$PORT
web: daphne -b 0.0.0.0 -p $PORT bakery.asgi:application
web: uvicorn bakery:app --uds /run/bakery.sock
web: FLASK_RUN_PORT=5050 flask run
web: waitress-serve --port=$PORT bakery:app
web: hypercorn -c hypercorn.toml bakery:app
web: uwsgi uwsgi.ini
web: vendor/bin/heroku-php-apache2 public/
web: vendor/bin/heroku-php-nginx -C nginx.conf public/
web: bin/start-nginx bundle exec puma
web: nginx -p . -c config/nginx.conf
web: nginx -g "pid nginx.pid; daemon off;"
web: php artisan serve --host=0.0.0.0 --port=$PORT
web: node dist/server.js
web: npm start
web: yarn --cwd client dev
web: npx next start
web: PORT=4100 npx next dev -p 4100
web: unset PORT && bin/rails server -p 4100
web: env PORT=4100 node index.js --port 4100
web: node -e 'require("./app").listen(process.env.PORT)'
web: mix phx.server
web: elixir --sname bakery -S mix phx.server
web: _build/prod/rel/bakery/bin/bakery start
web: bin/bakery -addr :$PORT
web: go run ./cmd/server
web: java $JAVA_OPTS -jar target/bakery.jar
web: java -Dserver.port=$PORT -jar target/bakery.jar
web: ./gradlew bootRun --daemon
web: target/universal/stage/bin/bakery -Dhttp.port=${PORT}
web: sh -c 'exec ./server --port $PORT'
web: docker compose up
web: docker run --rm -p $PORT:80 nginx
web: pg_isready -p 5432 && bin/bakery
web: redis-cli -p 6379 ping && bin/bakery --listen 0.0.0.0:$PORT
worker: bundle exec sidekiq -C config/sidekiq.yml -q default -q mailers
worker: bundle exec rake jobs:work
worker: bin/delayed_job run
worker: bin/jobs start
worker: bundle exec good_job start
worker: celery -A bakery worker -B -l info -P prefork -c 4 -D0
worker: celery -A bakery beat --pidfile=
worker: rq worker -u $REDIS_URL high default
worker: python manage.py rqworker default
worker: php artisan queue:work --daemon --tries=3
worker: php -d memory_limit=512M artisan horizon
worker: docker compose exec app php -d memory_limit=1G artisan queue:work
worker: docker compose exec -T app bin/worker -d
worker: node worker.js | npx pino-pretty
worker: echo "don't stop" && exec ./worker
worker: echo “fresh bread” – since 1890
worker: printf '%s\\n' 'it’s warm' && ./worker
worker: test -n "$QUEUE" && ./worker || sleep 60
worker: while :; do ./fetch; sleep 5; done
worker: bash -c 'source env.sh && [[ -n $A ]] && ./worker &> log'
worker: ./worker 2>&1
worker: ./worker > log 2>&1 < /dev/null
worker: bash -c 'set -o pipefail; ./worker | tee log'
worker: "/opt/my bakery/worker"
worker: "$HOME/my bakery/worker"
worker: ./worker --name="night shift"
worker: ./worker & ./helper & wait
worker: ./worker # the night's shift, all of it & more
db: docker compose run --rm app psql -d bakery
db: docker run --name db -e POSTGRES_PASSWORD=x -v data:/d postgres -d 5
db: docker ps -d
db: docker start -a db
db: docker compose up -d db && docker compose logs -f db
db: redis-server --port 6390 --daemonize no
db: memcached -d && ./after
db: mongod --dbpath data
db: postgres -D /usr/local/var/postgres
db: php-fpm8.2 -F -y fpm.conf
mail: mailcatcher --foreground --ip 0.0.0.0
mail: bundle exec mailcatcher -fv
web: lighttpd -D -f lighttpd.conf
web: bin/bakery --db-port 5432 --metrics localhost:9090
a: (./a & ./b & wait)
a: [ "$A" = b ] && ./server
tunnel: ssh -N -L 5433:localhost:5432 -p 2222 db.example.com
tunnel: ssh -R 80:localhost:$PORT -p 22 serveo.example
old: twistd -noy bakery.tac
old: pm2-runtime ecosystem.config.js
old: pm2 start app.js --no-daemon
css: npx tailwindcss -i in.css -o out.css --watch
js: npx tsc -p tsconfig.json --watch
js: npx concurrently "vite -p 3000" "tsc -w"
"""

SPOKEN = """
web: bin/rails server -p 4100 | listens on 4100
web: bin/rails s -p4100 | listens on 4100
web: puma -b tcp://0.0.0.0:4100 | listens on 4100
web: npm run dev -- --port=4100 | listens on 4100
web: cd client && serve -l 4100 dist | listens on 4100
web: gunicorn bakery.wsgi -b 0.0.0.0:4100 | listens on 4100
web: bin/bakery :4100 | listens on 4100
web: bin/bakery -addr :4100 | listens on 4100
web: java -jar bakery.jar --server.port=4100 | listens on 4100
web: php -S 127.0.0.1:4100 -t public | listens on 4100
web: python manage.py runserver 4100 | listens on 4100
web: python3 -m http.server 4100 | listens on 4100
web: python manage.py runserver --settings=bakery.dev 127.0.0.1:4100 | listens on 4100
web: go run main.go -port 4100 | listens on 4100
web: dotnet run --urls http://localhost:4100 | listens on 4100
web: python manage.py runserver | manage.py runserver does not read it
web: poetry run flask --app bakery run --debug | flask run does not read it
web: uvicorn bakery:app --reload | uvicorn does not read it
web: uv run uvicorn bakery:app | uvicorn does not read it
web: php artisan serve | artisan serve does not read it
web: python -m http.server | http.server does not read it
web: gunicorn -b '0.0.0.0:$PORT' app | not expanded in single quotes
web: foo -p $PORT -p 9000 | a fixed port, 9000
web: bundle exec unicorn -p $PORT -D | -D makes it a daemon
web: rackup -D -p $PORT | -D makes it a daemon
web: bin/rails server -d -p $PORT | -d makes it a daemon
web: symfony server:start -d | -d makes it a daemon
web: lighttpd -f lighttpd.conf | without -D
worker: BACKGROUND=yes rake resque:work | BACKGROUND makes it a daemon
a: (./server &) | ends in "&"
a: [ "$A" == b ] && ./server | == in a test is bash syntax
web: nginx | without -g "daemon off;"
web: sudo nginx -g 'pid x;' | without -g "daemon off;"
worker: bin/delayed_job -n 2 start | delayed_job start makes it a daemon
worker: RAILS_ENV=production script/delayed_job start | delayed_job start makes it a daemon
worker: celery -A bakery worker --detach | --detach makes it a daemon
worker: python -m celery -A bakery worker -D | -D makes it a daemon
worker: celery multi start w1 -A bakery | celery multi makes it a daemon
worker: pm2 start worker.js | pm2 start makes it a daemon
worker: nohup ./worker | nohup makes the process ignore hang-ups
db: docker run -dit postgres | -dit makes it a daemon
db: docker run -itd --name db postgres | -itd makes it a daemon
db: podman run --rm --detach redis | --detach makes it a daemon
db: docker --context far compose -f x.yml up db -d | -d makes it a daemon
db: docker-compose exec -d app worker | -d makes it a daemon
db: docker compose up -d && echo up | -d makes it a daemon
db: docker start db | docker start makes it a daemon
db: sudo service postgresql start | service start makes it a daemon
db: redis-server --daemonize yes | --daemonize makes it a daemon
fpm: php-fpm8.2 -D | -D makes it a daemon
mail: mailcatcher --ip 0.0.0.0 | without -f
tunnel: ssh -fN -L 1:localhost:1 db.example.com | -fN makes it a daemon
a: ./server & | ends in "&"
a: ./server & # later | ends in "&"
a: (cd app; ./server) & | ends in "&"
a: (a) && (./server) 2>&1 & | ends in "&"
a: ( (./server) &) # x | ends in "&"
a: "node index.js" | the whole command is in quotes
a: 'cd app && npm start' | the whole command is in quotes
a: echo it's ready; ./server | this quote is never closed
a: node “index.js” | U+201C is a curly quote
a: ./server –verbose | U+2013 is not a hyphen
a: ./server\u00a0--verbose | U+00A0 is a no-break space
a: npm\u00a0start | U+00A0 is a no-break space
a: ./ser\u200bver | U+200B is a zero-width space
a: ./server | tee -a log | log_file in the overlay
a: ./server 2>&1 | tee log | log_file in the overlay
a: [[ "$X" != yes ]] && ./server | [[ is bash syntax
a: if [[ $X ]]; then ./server; fi | [[ is bash syntax
a: source ./env.sh && ./server | write ". ./FILE"
a: set -euo pipefail; ./server | sed s/a/b/ | pipefail is bash syntax
a: diff <(./a) <(./b) | <( is bash syntax
a: ./server &> log | &> is bash syntax
a: cat <<< "$X" | <<< is bash syntax
release: bin/rails db:migrate | -x release leaves it out
"""


def lines(text: str) -> list[str]:
    return [
        line.encode("latin-1", "backslashreplace").decode("unicode-escape") if "\\u" in line else line
        for line in text.strip().split("\n")
    ]


@pytest.mark.parametrize("line", lines(SILENT))
def test_nothing_is_said_about_a_line_that_works_or_cannot_be_judged(line: str) -> None:
    procfile = parse_procfile(line.encode())
    assert [problem.message for problem in procfile.problems] == []


@pytest.mark.parametrize("line", lines(SPOKEN))
def test_one_thing_is_said_about_a_line(line: str) -> None:
    line, _, part = line.rpartition(" | ")
    messages = [problem.message for problem in parse_procfile(line.encode()).problems]
    assert len(messages) == 1, messages
    assert part in messages[0]


def test_the_place_is_that_of_the_word() -> None:
    (problem,) = parse_procfile(b"db: docker run --name x -dit postgres").problems
    assert (problem.severity, problem.line, problem.column) == ("warning", 1, 25)


@pytest.mark.parametrize(
    "part", ["'", '"', "`", "$(", "${", "(", "\\", "&", "<(", "\u2013", "a=(", "--daemon ", "|tee "]
)
def test_a_long_line_takes_no_time_to_speak_of(part: str) -> None:
    list(advise("web", part * (MAX_LENGTH // len(part))))


# Each with the severity, the offset in the command and a part of what is said.
PLACED = """
warning 10 ends in a backslash | web: $PORT && a\\
warning 10 ends in "&" | a: ./server  &
warning 10 ends in "&" | a: (./server &) # x
warning 2 this quote is never closed | a: x 'y; z
warning 0 the whole command is in quotes | a: "node index.js"
warning 2 U+201C is a curly quote | a: x “y”
warning 0 U+2018 is a curly quote | a: \\u2018x
warning 2 U+2013 is not a hyphen | a: x –y
warning 3 U+2014 is not a hyphen | a: x -—y
warning 1 U+3000 is an unusual space | a: x\u3000y
hint 0 [[ is bash syntax | a: [[ x ]] && y
hint 2 [[ is bash syntax | a: ! [[ x ]]
hint 5 <( is bash syntax | a: diff <(x) <(y); [[ z ]]
hint 0 source is a bash command | a: source x; [[ y ]]
hint 3 source is a bash command | a: x; source y
warning 0 nohup makes the process | a: nohup ./x
warning 4 nohup makes the process | a: X=1 nohup ./x
warning 0 BACKGROUND makes it a daemon | a: BACKGROUND=1 rake resque:work
warning 12 -D makes it a daemon | a: X=1 unicorn -D
hint 4 log_file in the overlay | a: x | tee y
warning 14 a fixed port, 9000 | web: x -p $PORT -p 9000
hint 6 not expanded in single quotes | web: serve '$PORT'
hint 13 not expanded in single quotes | web: x -b':$PORT' '0.0.0.0:$PORT'
hint 5 listens on 4100 | web: x -p 4100
hint 5 listens on 80, | web: x -p 80
hint 2 listens on 8080, | web: x -p8080
hint 2 listens on 65535, | web: x --port=65535
hint 5 listens on 4100 | web: x -b :4100 -p 4200
hint 17 listens on 4100 | web: cd y && serve -l 4100
warning 0 a fixed port, 4100 | web: PORT=4100 x -p $PORT
hint 14 listens on 4100 | web: x --listen -b h:4100
hint 2 listens on 80, | web: x :80
hint 2 listens on 4100 | web: x [::]:4100
hint 2 listens on 4100 | web: x *:4100
hint 20 listens on 4100 | web: manage.py runserver 4100
hint 25 listens on 4100 | web: manage.py runserver_plus 4100
hint 0 manage.py runserver does not read it | web: manage.py runserver
hint 4 manage.py runserver does not read it | web: X=1 manage.py runserver --noreload
hint 0 flask run does not read it | web: flask run --debug
hint 0 uvicorn does not read it | web: uvicorn x
hint 10 http.server does not read it | web: python -m http.server
hint 10 http.server does not read it | web: python -m http.server -d 4100
hint 0 Heroku runs release only before a deployment | release: x
warning 12 U+2013 is not a hyphen | a: echo “x”; y –z
hint 5 source is a bash command | a: 'x'; source y
hint 5 listens on 4100 | web: x -p 4100 $PORTAL
hint 11 listens on 4100 | web: x XPORT -p 4100
hint 11 listens on 4100 | web: x PORTX -p 4100
hint 17 listens on 4100 | web: x PORTX YPORT -p 4100
hint 14 listens on 4100 | web: psql x | y -p 4100
hint 2 listens on 4100 | web: x --urls=http://a=b:4100
hint 2 listens on 300, | web: x -p300
"""

NOT_SAID = """
a: x & y
a: x # ends &
a: x "it's"
a: "x y" z
a: "x y"; z
a: "x"
a: " x"
a: "./x y"
a: "~/x y"
a: echo “x” – y
a: it’s
a: x –
a: x y–z
a: x — y
a: ! { if then
a: x [[ y
a: 'source' x
a: set -e
a: x pipefail
a: test x = y
a: x | y tee
a: x && tee y
a: x nohup
a: BACKGROUND=1 rake x
a: X=1 rake resque:work
web: x $PORTAL
web: x -p 79
web: x -p 4
web: x -p12
web: x -p65536
web: x -p 65536
web: x -p port
web: x --port 1x
web: x -b 4100
web: x -b unix:4
web: x -b host:79
web: x -P 4100
web: x --host :79
web: x :79
web: x host:4100
web: x -x :4100
web: ssh -p 4100 x
web: X_PORT=1 x -p 4100
web: unset PORT; x -p 4100
web: x 'PORT' -p 4100
web: manage.py runserver $X
web: manage.py runserver -p 1
web: manage.py runserver --port=1
web: manage.py runserver host:1
web: manage.py migrate
web: flask routes
web: uvicorn --fd 3 x
web: uvicorn x --uds=y
web: python -m http.server $X
web: python -m http.server --port 1
web: x PORT=4100
web: ssh -p $PORT -p 4100 x
web: bash -c 'x $PORT'
web: x 'a b $PORT'
web: x "$PORT"
other: x -p 4100
other: uvicorn x
a: x 'y $(z
a: x -a’b
a: x a’b-c
web: x -l 4100
web: serve 4100
web: x -p80
web: A=4100 x
"""


def expected(line: str) -> tuple[tuple[str, int, str], str, str]:
    said, _, procfile = line.partition(" | ")
    severity, offset, part = said.split(" ", 2)
    name, _, command = procfile.partition(": ")
    return (severity, int(offset), part), name, command


@pytest.mark.parametrize("line", lines(PLACED))
def test_what_is_said_has_a_severity_and_a_place(line: str) -> None:
    (severity, offset, part), name, command = expected(line)
    (found,) = advise(name, command)
    assert found[:2] == (severity, offset)
    assert part in f"{found[2]},"


@pytest.mark.parametrize("line", lines(NOT_SAID))
def test_what_is_nearly_doubtful_is_not_spoken_of(line: str) -> None:
    name, _, command = line.partition(": ")
    assert list(advise(name, command)) == []


def test_a_command_of_this_length_is_looked_at() -> None:
    command = "unicorn -D ".ljust(MAX_LENGTH, "x")
    assert len(list(advise("web", command))) == 1
    assert list(advise("web", command + "x")) == []
    assert len(list(advise("release", command + "x\\"))) == 2
