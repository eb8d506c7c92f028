module eslclients

go 1.26.8

require (
	github.com/google/uuid v1.1.1 // indirect
	github.com/percipia/eslgo v1.5.0 // indirect
)
