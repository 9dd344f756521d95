# Writes bytes that are not UTF-8 text: a NUL, a broken character, Latin-1.
printf 'nul:\000:nul\n'
printf 'broken:\303:broken\n'
printf 'latin-1: caf\351\n'
