# Made by procman export nomad for tuned. Changes made here are lost at the next export.
#
# Install:  nomad job run tuned.nomad.hcl   (in this folder, for the env files)
# Look:     nomad job status tuned
# Stop:     nomad job stop tuned

job "tuned" {
  type = "service"

  group "bot" {
    count = 1

    restart {
      attempts = 2
      interval = "34s"
      delay    = "0.75s"
      mode     = "fail"
    }

    task "bot" {
      driver       = "docker"
      kill_signal  = "SIGQUIT"
      kill_timeout = "0.5s"

      config {
        image   = "registry.example/tuned:1"
        command = "/bin/sh"
        args    = ["/local/command"]
        pids_limit = 64
      }

      resources {
        memory = 256
      }

      # The command is in a file because Nomad would expand ${PORT} in args.
      template {
        destination     = "local/command"
        data            = <<END
exec /bin/sh -c 'exec ./bot'
END
        left_delimiter  = "<<procman:"
        right_delimiter = ":procman>>"
      }

      env {
        # Nomad counts from 0: the first instance is bot.0.
        PS = "bot.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_INSTANCE = "bot.$${NOMAD_ALLOC_INDEX}"
        PROCMAN_PROCESS = "bot"
        PYTHONUNBUFFERED = "1"
      }
    }
  }
}
