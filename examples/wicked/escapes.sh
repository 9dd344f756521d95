# Colors its output, then tries to take over the screen: clear, cursor, title, another screen, a faked line.
printf '\033[31mred\033[0m and \033[1;32mbold green\033[0m\n'
printf 'clear:\033[2J\033[H:clear\n'
printf 'title:\033]0;I own this window\007:title\n'
printf 'screen:\033[?1049h:screen\n'
printf 'fake:\r00:00:00 system | all is well\n'
