# Made by procman export nomad for shop. Changes made here are lost at the next export.
#
# Install:  nomad job run shop.nomad.hcl   (in this folder, for the env files)
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

    restart {
      attempts = 4
      interval = "81s"
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec gunicorn shop.wsgi --bind 0.0.0.0:$PORT'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec celery -A shop worker'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec celery -A shop beat'\n"
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

  group "release" {
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "1s"
      mode     = "fail"
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
        data            = "exec /bin/sh -c 'trap \"trap '\\'''\\'' TERM; kill -TERM 0\" TERM; /bin/sh -c \"$0\" & p=$!; wait $p; c=$?; while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c' 'trap '\\''exit 143'\\'' TERM; python manage.py migrate && python manage.py collectstatic'\n"
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
