# Programs: each release in a folder of its own, each program switched by one atomic link. The runtime's own are with
# the runtime.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/binaries/installed.jinja" import installed with context %}
{%- for binary in kube_node.binaries.files %}
{{ installed(binary) }}
{%- endfor %}
{%- if kube_node.binaries.packages %}
program-packages-installed:
  pkg.installed:
    - pkgs: {{ kube_node.binaries.packages | json }}
{% endif %}
# Last: what a service still runs is not old.
old-releases-removed:
  kube_node.old_releases_removed:
    - name: {{ kube_node.paths.versions }}
    - keep: {{ kube_node.binaries.keep }}
    - releases: {{ kube_node.binaries.releases | json }}
    - links: {{ [kube_node.paths.bin, kube_node.paths.cni_bin] | json }}
    - order: last
