# Made by procman export nomad for shop. Changes made here are lost at the next export.
# Run it before each new version, and wait for its success.
# Nomad runs it again only if it has changed, such as its image.

job "shop-release" {
  type = "batch"

  group "release" {
    count = 1

    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "release" {
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
' 'python manage.py migrate && python manage.py collectstatic' TERM 25 50
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is release.0.
        PORT = "5300"
        PS = "release.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "release.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "release"
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
