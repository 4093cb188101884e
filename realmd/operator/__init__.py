"""What answers the operator inside the daemon: the control socket, his orders, sanctions, drain, audit."""
