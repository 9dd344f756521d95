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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'trap \"trap '\\'''\\'' TERM; kill -TERM 0\" TERM; /bin/sh -c \"$0\" & p=$!; wait $p; c=$?; while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c' 'trap '\\''exit 143'\\'' TERM; sh -c '\\''echo \"it'\\''\"'\\''\"'\\''s 50% of $PS {{.Task.Slot}}\"'\\'' && exec ./serve ~/x | tee \"log;#\"'\n"
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
      delay    = "1s"
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
        data            = "exec /bin/sh -c 'trap \"trap '\\'''\\'' TERM; kill -TERM 0\" TERM; /bin/sh -c \"$0\" & p=$!; wait $p; c=$?; while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c' 'trap '\\''exit 143'\\'' TERM; FOO='\\''a b'\\'' ./work \"$(date +%s)\" \\\\ %h'\n"
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
