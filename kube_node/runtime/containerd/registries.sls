# containerd reads these at every pull: nothing is restarted for them.
{%- from "kube_node/map.jinja" import kube_node with context %}
{%- from "kube_node/files.jinja" import managed with context %}
{{ managed(kube_node.files.registries) }}
{%- if kube_node.runtime.registries_folder %}
registries-of-the-pillar-alone:
  file.directory:
    - name: {{ kube_node.runtime.registries_folder }}
    - clean: True
    - require:
      - sls: kube_node.runtime.containerd.install
{%- for file in kube_node.files.registries %}
      - file: {{ file.id }}
{%- endfor %}
{%- endif %}
