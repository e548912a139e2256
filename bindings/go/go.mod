module github.com/libturboquant/libturboquant/bindings/go

go 1.24
