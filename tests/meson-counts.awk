# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Prints how many tests passed, failed and were skipped, from the summary that Meson writes. Where
# there was none to run, that is a failure.

/^(Ok|Expected Fail): / { passed += $NF }
/^(Fail|Unexpected Pass|Timeout): / { failed += $NF }
/^Skipped: / { skipped += $NF }
END { print passed + 0, passed + failed + skipped ? failed + 0 : 1, skipped + 0 }
