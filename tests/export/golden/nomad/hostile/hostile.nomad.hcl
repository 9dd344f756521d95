# Made by procman export nomad for hostile. Changes made here are lost at the next export.
#
# Install:  nomad job run hostile.nomad.hcl   (in this folder, for the env files)
# Look:     nomad job status hostile
# Stop:     nomad job stop hostile

job "hostile" {
  type = "service"

  group "web" {
    count = 1

    network {
      port "http" {
        to = 5000
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
        image   = "registry.example/hostile:1"
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
' 'sh -c '\''echo "it'\''"'\''"'\''s 50% of $PS {{.Task.Slot}}"'\'' && exec ./serve ~/x | tee "log;#"' TERM 25 50
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
        PROCMAN_LONG_WORKER_2_PORT = "5100"
        PROCMAN_WEB_PORT = "5000"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/hostile.env"
        data            = file("hostile.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }

  group "long-worker-2" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "3.75s"
      mode     = "fail"
    }

    task "long-worker-2" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      config {
        image   = "registry.example/hostile:1"
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
' 'FOO='\''a b'\'' ./work "$(date +%s)" \\ %h' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is long-worker_2.0.
        PORT = "5100"
        PS = "long-worker_2.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "long-worker_2.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "long-worker_2"
        PROCMAN_LONG_WORKER_2_PORT = "5100"
        PROCMAN_WEB_PORT = "5000"
        PYTHONUNBUFFERED = "1"
      }

      template {
        destination     = "secrets/hostile.env"
        data            = file("hostile.env")
        env             = true
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }
    }
  }
}
