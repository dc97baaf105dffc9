"""The edge: gRPC servicers that translate and delegate. Nothing here decides."""
