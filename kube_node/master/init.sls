# The master's side, for the minion that runs on the master: salt '<master>' state.apply kube_node.master
{%- set config = "/etc/salt" %}
{%- set owner = salt["file.get_user"](config ~ "/pki/master") if salt["file.directory_exists"](config ~ "/pki/master") else "root" %}

master-configuration:
  file.managed:
    - name: {{ config }}/master.d/kube_node.conf
    - source: salt://kube_node/master/master.conf
    - makedirs: True

# A kubeconfig per cluster lies here, <cluster>.kubeconfig; it is the operator's, for it is made with the cluster's CA.
kubeconfig-folder:
  file.directory:
    - name: {{ config }}/kube_node
    - user: {{ owner }}
    - mode: '0700'
    - file_mode: '0600'
    - recurse: [user, mode]

modules-synced:
  salt.runner:
    - name: saltutil.sync_all
    - onchanges:
      - file: master-configuration

master-enabled:
  service.enabled:
    - name: salt-master

# Last: the master that serves this very run is restarted by it. Apart from enabling, for a state that changed something
# itself does not restart what it watches.
master-service:
  service.running:
    - name: salt-master
    - order: last
    - watch:
      - file: master-configuration
