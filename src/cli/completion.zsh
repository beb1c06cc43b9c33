#compdef iscsi-wmi
# SPDX-License-Identifier: LGPL-2.1-or-later
eval "$(iscsi-wmi completion zsh)"
_iscsi_wmi "$@"
