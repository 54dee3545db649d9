# shellcheck shell=bash
# Recovery "reissue": what the dead server had is given to the next (10 s)
# timeout: 150
recover_mode 2 waits waits
grep -q '^WRITE' "$HOLD_LOG" || fail "nothing was given to the next"
