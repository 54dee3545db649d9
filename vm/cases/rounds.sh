# shellcheck shell=bash
# 200 devices one after the other in one process leave nothing behind (30 s)
# timeout: 300
[ -x "$BUILD/tests/e2e/e2e_rounds" ] || fail "tests/e2e/e2e_rounds was not built"
"$BUILD/tests/e2e/e2e_rounds" 200 || fail "e2e_rounds: status $?"
[ -z "$(ls /sys/class/ublk-char 2>/dev/null)" ] || fail "a device is left"
[ -z "$(pgrep iou-wrk)" ] || fail "a kernel worker is left"
