# shellcheck shell=bash
# Recovery "fail-io": requests fail until there is another server (10 s)
# timeout: 150
recover_mode 3 fails fails
