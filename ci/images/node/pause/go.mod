module authlab/images/node/pause

go 1.24
