# Made by procman export nomad for fleet. Changes made here are lost at the next export.
#
# Install:  nomad job run fleet.nomad.hcl   (in this folder, for the env files)
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
        image   = "registry.example/fleet:1"
        command = "/bin/sh"
        args    = ["/local/command"]
        ports   = ["http"]
      }

      # The command is in a file because Nomad would expand ${PORT} in args.
      template {
        destination     = "local/command"
        data            = "exec /bin/sh -c 'exec ./serve --port $PORT'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec ./work'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec ./api'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec ./mail --listen'\n"
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

  group "once" {
    count = 1

    restart {
      attempts = 0
      mode     = "fail"
    }

    task "once" {
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
        data            = "exec /bin/sh -c 'exec ./import --all'\n"
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is once.0.
        PORT = "5400"
        PS = "once.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "once.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "once"
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
    count = 1

    restart {
      attempts = 4
      interval = "81s"
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec ./debug'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec ./tick'\n"
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
        image   = "registry.example/fleet:1"
        command = "/bin/sh"
        args    = ["/local/command"]
      }

      # The command is in a file because Nomad would expand ${PORT} in args.
      template {
        destination     = "local/command"
        data            = "exec /bin/sh -c 'exec ./migrate'\n"
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is release.0.
        PORT = "5700"
        PS = "release.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "release.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "release"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'trap \"trap '\\'''\\'' TERM; kill -TERM 0\" TERM; /bin/sh -c \"$0\" & p=$!; wait $p; c=$?; while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c' 'trap '\\''exit 143'\\'' TERM; ./a & ./b & wait'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'exec npm start'\n"
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
