# Made by procman export nomad for fleet. Changes made here are lost at the next export.
#
# Install:  nomad job run fleet-release.nomad.hcl   (and wait: nomad job status fleet-release)
#           nomad job run fleet.nomad.hcl   (in this folder, for the env files)
#           nomad job run fleet-once.nomad.hcl
# Look:     nomad job status fleet
# Stop:     nomad job stop fleet

job "fleet" {
  type = "service"

  group "web" {
    count = 2

    network {
      port "http" {
        to = 5000
      }
    }

    service {
      name     = "fleet-web"
      provider = "nomad"
      port     = "http"

      check {
        name     = "health"
        type     = "http"
        path     = "/health"
        interval = "3s"
        timeout  = "5s"
        header {
          Host = ["localhost:5000"]
        }
        check_restart {
          limit = 3
          grace = "60s"
        }
      }

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
        image   = "registry.example/fleet:1"
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
' 'exec ./serve --port $PORT' TERM 25 50
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
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
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
        image   = "registry.example/fleet:1"
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
' 'exec ./work' TERM 25 50
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
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "api" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "api" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/fleet:1"
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
' 'cd services/api || exit 126; exec ./api' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is api.0.
        PORT = "5200"
        PS = "api.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "api.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "api"
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "mail" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "mail" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/fleet:1"
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
' 'exec ./mail --listen' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is mail.0.
        PORT = "5300"
        PS = "mail.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "mail.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "mail"
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "lazy" {
    count = 0 # autostart = false: nomad job scale starts it

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "lazy" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/fleet:1"
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
' 'exec ./debug' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is lazy.0.
        PORT = "5500"
        PS = "lazy.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "lazy.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "lazy"
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "tick" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "tick" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/fleet:1"
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
' 'exec ./tick' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is tick.0.
        PORT = "5600"
        PS = "tick.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "tick.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "tick"
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "multi" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "multi" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/fleet:1"
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
' './a & ./b & wait' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is multi.0.
        PORT = "5800"
        PS = "multi.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "multi.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "multi"
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "npm" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "npm" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/fleet:1"
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
' 'exec npm start' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is npm.0.
        PORT = "5900"
        PS = "npm.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "npm.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "npm"
        PROCMAN_API_PORT = "5200"
        PROCMAN_LAZY_PORT = "5500"
        PROCMAN_MAIL_PORT = "5300"
        PROCMAN_MULTI_PORT = "5800"
        PROCMAN_NPM_PORT = "5900"
        PROCMAN_ONCE_PORT = "5400"
        PROCMAN_RELEASE_PORT = "5700"
        PROCMAN_TICK_PORT = "5600"
        PROCMAN_WEB_PORT = "5000"
        PROCMAN_WORKER_PORT = "5100"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/fleet.env"
        data            = file("fleet.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }
}
