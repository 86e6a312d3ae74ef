# No swap now, and none at the next boot: fstab's lines are commented out, and the units that would make it are masked.
swap-target-masked:
  service.masked:
    - name: swap.target
{% for unit in salt["kube_node_machine.swap_units"]() %}
{{ unit }}-masked:
  service.masked:
    - name: {{ unit }}
{% endfor %}
swap-out-of-fstab:
  file.replace:
    - name: /etc/fstab
    - pattern: '^(?![ \t]*#)([ \t]*\S+[ \t]+\S+[ \t]+swap(?:[ \t].*)?)$'
    - repl: '# Off for Kubernetes (kube_node): \1'
    - backup: False
    - ignore_if_missing: True

swap-off:
  kube_node.swap_off:
    - require:
      - service: swap-target-masked
      - file: swap-out-of-fstab
