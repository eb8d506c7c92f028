/* esl_outbound.c: the `socket` application: the engine connects, and the program at the other end steers the call. */
#include <errno.h>

#include "control/esl_own.h"

bool esl_outbound_request(struct esl *esl, const struct post_message *message)
{
    return false;
}

void esl_outbound_ended(struct esl_client *client)
{
}

void esl_connect(struct esl_client *client)
{
    esl_reply(client, "-ERR command not found");
}

void esl_socket_resume(struct esl_client *client)
{
    esl_reply(client, "-ERR command not found");
}
