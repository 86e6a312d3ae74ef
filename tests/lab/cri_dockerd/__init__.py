"""A cri-dockerd that is strict about its flags and wants its Docker; it speaks no CRI on its socket."""
