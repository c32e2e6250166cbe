// Google's own fake of Pub/Sub with one topic. Prints its address; the messages it holds as a line
// of JSON for each line on standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"cloud.google.com/go/pubsub/pstest"
	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
)

func main() {
	server := pstest.NewServer()
	defer server.Close()
	topic := "projects/tocsin/topics/alerts"
	_, err := server.GServer.CreateTopic(context.Background(), &pubsubpb.Topic{Name: topic})
	check(err)
	fmt.Println(server.Addr)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		all := []map[string]any{}
		for _, message := range server.Messages() {
			all = append(all, map[string]any{
				"id": message.ID, "data": string(message.Data),
				"attributes": message.Attributes, "ordering_key": message.OrderingKey,
			})
		}
		line, err := json.Marshal(all)
		check(err)
		fmt.Println(string(line))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
