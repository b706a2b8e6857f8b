"""The geometry of photographed paper: orientation, paper edges, perspective and dewarping."""
