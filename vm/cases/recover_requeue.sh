# shellcheck shell=bash
# Recovery "requeue": what the dead server had fails, what comes waits (10 s)
# timeout: 150
recover_mode 1 fails waits
