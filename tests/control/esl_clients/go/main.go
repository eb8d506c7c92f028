// eslgo, unchanged: inbound as the others; `outbound` listens, runs an application on one call and hangs up.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"
	"github.com/percipia/eslgo/command/call"
)

func fail(err error) {
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func inbound(address string) {
	conn, err := eslgo.Dial(address, "ClueCon", func() {})
	fail(err)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	answer, err := conn.SendCommand(ctx, command.API{Command: "echo", Arguments: "hi"})
	fail(err)
	fmt.Println("api", string(answer.Body))
	jobs, overs := make(chan string, 10), make(chan string, 10)
	conn.RegisterEventListener(eslgo.EventListenAll, func(e *eslgo.Event) {
		switch e.GetName() {
		case "BACKGROUND_JOB":
			jobs <- e.GetHeader("Job-Uuid") + " " + string(e.Body)
		case "CHANNEL_HANGUP_COMPLETE":
			overs <- e.GetHeader("Unique-Id") + " " + e.GetHeader("Hangup-Cause")
		}
	})
	fail(conn.EnableEvents(ctx))
	answer, err = conn.SendCommand(ctx, command.API{Command: "echo", Arguments: "later", Background: true})
	fail(err)
	fmt.Println("job", <-jobs == answer.GetHeader("Job-Uuid")+" later")
	answer, err = conn.SendCommand(ctx, command.API{Command: "originate", Arguments: "null/x &park()"})
	fail(err)
	id := strings.Fields(string(answer.Body))[1]
	_, err = conn.SendCommand(ctx, command.API{Command: "uuid_kill", Arguments: id + " USER_BUSY"})
	fail(err)
	fmt.Println("over", <-overs == id+" USER_BUSY")
	conn.ExitAndClose()
}

func outbound(address string) {
	fail(eslgo.ListenAndServe(address, func(ctx context.Context, conn *eslgo.Conn, connected *eslgo.RawResponse) {
		id := connected.ChannelUUID()
		_, err := conn.SendCommand(ctx, &call.Execute{UUID: id, AppName: "set", AppArgs: "colour=blue", Sync: true})
		fail(err)
		fmt.Println("variable", id != "")
		_, err = conn.SendCommand(ctx, &call.Execute{UUID: id, AppName: "hangup", AppArgs: "CALL_REJECTED"})
		fail(err)
	}))
}

func main() {
	if os.Args[1] == "outbound" {
		outbound("127.0.0.1:" + os.Args[2])
	} else {
		inbound("127.0.0.1:" + os.Args[2])
	}
}
