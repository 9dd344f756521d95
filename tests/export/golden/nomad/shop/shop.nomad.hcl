# Made by procman export nomad for shop. Changes made here are lost at the next export.
#
# Install:  nomad job run shop-release.nomad.hcl   (and wait: nomad job status shop-release)
#           nomad job run shop.nomad.hcl   (in this folder, for the env files)
# Look:     nomad job status shop
# Stop:     nomad job stop shop

job "shop" {
  type = "service"

  group "web" {
    count = 2

    network {
      port "http" {
        to = 5000
      }
    }

    service {
      name     = "shop-web"
      provider = "nomad"
      port     = "http"

      check {
        name     = "ready"
        type     = "http"
        path     = "/health"
        interval = "1s"
        timeout  = "5s"
        header {
          Host = ["localhost:5000"]
        }
      }
    }

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "web" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/shop:1"
        command = "/bin/sh"
        args    = ["/local/command"]
        ports   = ["http"]
      }

      # The command is in a file because Nomad would expand ${PORT} in args.
      template {
        destination     = "local/command"
        data            = <<END
exec /bin/sh -c '# PID 1 of the container. It passes the stop signal on to the program. All others get it when the
# program has ended, or half of the time is over. It ends last, since the container ends with it.
# Ctrl-C of "docker run" (INT) stops it, too.
others() {
  left=1
  for pid in /proc/[0-9]*; do
    pid=$${pid#/proc/}
    case " 1 $program $target " in
      *" $pid "*) ;;
      *) [ $${$} != 1 ] || { kill -s $1 $pid && left=0; } ;;
    esac
  done
  return $left
}
pause() { n=$((n + 1)); sleep 0.1 || { sleep 1; n=$((n + 9)); }; }
stop() {
  trap : $signal INT
  stopping=yes
  kill -s $signal $target
}
early() { false; }
trap "early() { true; }" $1 INT
/bin/sh -c "$0" & program=$!
target=$program signal=$1 half=$2 whole=$3 stopping= n=0
exec 2>/dev/null
trap stop $1 INT
! early || stop
[ "$stopping" ] || wait $program; code=$?
while [ "$stopping" ] && kill -s 0 $program; do
  [ $n -lt $half ] || { half=$whole; others $signal; }
  pause
done
wait $program; n=$?; [ $n = 127 ] || code=$n
n=0; others $signal
while others 0 && [ $n -lt $whole ]; do pause; done
exit $code
' 'exec gunicorn shop.wsgi --bind 0.0.0.0:$PORT' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is web.0.
        PORT = "5000"
        PS = "web.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "web.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "web"
        PROCMAN_CLOCK_PORT = "5200"
        PROCMAN_RELEASE_PORT = "5300"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/shop.env"
        data            = file("shop.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "worker" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "worker" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/shop:1"
        command = "/bin/sh"
        args    = ["/local/command"]
      }

      # The command is in a file because Nomad would expand ${PORT} in args.
      template {
        destination     = "local/command"
        data            = <<END
exec /bin/sh -c '# PID 1 of the container. It passes the stop signal on to the program. All others get it when the
# program has ended, or half of the time is over. It ends last, since the container ends with it.
# Ctrl-C of "docker run" (INT) stops it, too.
others() {
  left=1
  for pid in /proc/[0-9]*; do
    pid=$${pid#/proc/}
    case " 1 $program $target " in
      *" $pid "*) ;;
      *) [ $${$} != 1 ] || { kill -s $1 $pid && left=0; } ;;
    esac
  done
  return $left
}
pause() { n=$((n + 1)); sleep 0.1 || { sleep 1; n=$((n + 9)); }; }
stop() {
  trap : $signal INT
  stopping=yes
  kill -s $signal $target
}
early() { false; }
trap "early() { true; }" $1 INT
/bin/sh -c "$0" & program=$!
target=$program signal=$1 half=$2 whole=$3 stopping= n=0
exec 2>/dev/null
trap stop $1 INT
! early || stop
[ "$stopping" ] || wait $program; code=$?
while [ "$stopping" ] && kill -s 0 $program; do
  [ $n -lt $half ] || { half=$whole; others $signal; }
  pause
done
wait $program; n=$?; [ $n = 127 ] || code=$n
n=0; others $signal
while others 0 && [ $n -lt $whole ]; do pause; done
exit $code
' 'exec celery -A shop worker' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is worker.0.
        PORT = "5100"
        PS = "worker.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "worker.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "worker"
        PROCMAN_CLOCK_PORT = "5200"
        PROCMAN_RELEASE_PORT = "5300"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/shop.env"
        data            = file("shop.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "clock" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "clock" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/shop:1"
        command = "/bin/sh"
        args    = ["/local/command"]
      }

      # The command is in a file because Nomad would expand ${PORT} in args.
      template {
        destination     = "local/command"
        data            = <<END
exec /bin/sh -c '# PID 1 of the container. It passes the stop signal on to the program. All others get it when the
# program has ended, or half of the time is over. It ends last, since the container ends with it.
# Ctrl-C of "docker run" (INT) stops it, too.
others() {
  left=1
  for pid in /proc/[0-9]*; do
    pid=$${pid#/proc/}
    case " 1 $program $target " in
      *" $pid "*) ;;
      *) [ $${$} != 1 ] || { kill -s $1 $pid && left=0; } ;;
    esac
  done
  return $left
}
pause() { n=$((n + 1)); sleep 0.1 || { sleep 1; n=$((n + 9)); }; }
stop() {
  trap : $signal INT
  stopping=yes
  kill -s $signal $target
}
early() { false; }
trap "early() { true; }" $1 INT
/bin/sh -c "$0" & program=$!
target=$program signal=$1 half=$2 whole=$3 stopping= n=0
exec 2>/dev/null
trap stop $1 INT
! early || stop
[ "$stopping" ] || wait $program; code=$?
while [ "$stopping" ] && kill -s 0 $program; do
  [ $n -lt $half ] || { half=$whole; others $signal; }
  pause
done
wait $program; n=$?; [ $n = 127 ] || code=$n
n=0; others $signal
while others 0 && [ $n -lt $whole ]; do pause; done
exit $code
' 'exec celery -A shop beat' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is clock.0.
        PORT = "5200"
        PS = "clock.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "clock.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "clock"
        PROCMAN_CLOCK_PORT = "5200"
        PROCMAN_RELEASE_PORT = "5300"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/shop.env"
        data            = file("shop.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }
}
