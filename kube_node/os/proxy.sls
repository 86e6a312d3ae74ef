# The proxy by which runtime and kubelet reach the world; each has a drop-in that reads this file. It is root's alone, as
# its URLs may have a password in them.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.proxy) }}
