# The machine below Kubernetes: what its kernel and its packages have to be. Modules come before the parameters that
# they bring. Swap is turned off where the pillar says so.
{%- from "kube_node/map.jinja" import kube_node with context %}
include:
  - kube_node.os.packages
  - kube_node.os.modules
  - kube_node.os.sysctl
  - kube_node.os.proxy
  - kube_node.os.network
{%- if kube_node.os.swap_off %}
  - kube_node.os.swap
{%- endif %}
