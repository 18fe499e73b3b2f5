module authlab/client

go 1.24
