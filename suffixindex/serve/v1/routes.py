"""The routes of ``/v1``: one for each question, made from the table of questions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from suffixindex.serve import problems
from suffixindex.serve.rendering import to_csv, to_json
from suffixindex.serve.state import client_gone, state_of
from suffixindex.serve.table import Served
from suffixindex.serve.v1 import documents, models, occurrences, replies, texts
from suffixindex.serve.v1.questions import QUESTIONS, Asking, Question
from suffixindex.serve.work import Job

NAMED = (occurrences, documents, texts)
"""The modules that fill the table of questions."""
CSV = "text/csv; charset=utf-8"
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": problems.Problem, "description": description, "content": {problems.MEDIA_TYPE: {}}}
    for status, description in {
        400: "The question has no answer: `type` is the class of the error.",
        401: "A token is needed.",
        404: "No such index.",
        413: "The body is too large.",
        422: "The request is malformed, or too expensive (`price_seconds`).",
        503: "Too much to do: `Retry-After` says when to come back.",
    }.items()
}


def told(name: str, served: Served) -> dict[str, Any]:
    return {"name": name, **served.info}


def router() -> APIRouter:
    routes = APIRouter(prefix="/v1", responses=PROBLEMS)

    @routes.get(
        "/indexes", response_model=replies.Indexes, tags=["Indexes"], summary="The indexes that are served", operation_id="indexes"
    )
    async def indexes(request: Request) -> Response:
        state = state_of(request)
        items = await state.in_cheap_pool(lambda: [told(name, served) for name, served in state.table.items()])
        return Response(to_json({"indexes": items}), media_type="application/json")

    @routes.get("/{index}", response_model=replies.IndexInfo, tags=["Indexes"], summary="What an index holds", operation_id="info")
    async def info(request: Request, index: str) -> Response:
        state = state_of(request)
        served = state.table[index]
        return Response(to_json(await state.in_cheap_pool(lambda: told(index, served))), media_type="application/json")

    @routes.post(
        "/{index}/price", response_model=replies.Price, tags=["Indexes"], summary="What a question would cost", operation_id="price"
    )
    async def price(request: Request, index: str, asked: AskPrice) -> Response:
        state = state_of(request)
        if asked.question not in QUESTIONS:
            raise problems.malformed(f"question is {asked.question!r}: expected one of {', '.join(QUESTIONS)}")
        one, asking = QUESTIONS[asked.question], Asking(state.table[index])
        cost = await state.in_cheap_pool(lambda: one.price(asking, one.asked.model_validate(asked.request)))
        budget = state.settings.budget
        answer = {"price_seconds": round(cost, 9), "budget_seconds": budget, "answered": cost <= budget}
        return Response(to_json(answer), media_type="application/json")

    for module in NAMED:
        for one in QUESTIONS.values():
            if one.answer.__module__ == module.__name__:
                tag = module.__name__.rpartition(".")[2].capitalize()
                routes.add_api_route(
                    f"/{{index}}/{one.name}",
                    _endpoint(one),
                    methods=["POST"],
                    response_model=one.reply,
                    responses={200: {"content": {"text/csv": {}}}},
                    tags=[tag],
                    summary=one.summary,
                    operation_id=one.name,
                )
    return routes


class AskPrice(models.Model):
    question: str
    request: dict[str, Any]


def _endpoint(one: Question) -> Any:
    async def endpoint(request: Request, index: str, asked: Any, format: str | None = None) -> Response:
        state = state_of(request)
        asking = Asking(state.table[index])
        wanted = format or ("csv" if "text/csv" in request.headers.get("accept", "") else "json")
        if wanted not in ("json", "csv"):
            raise problems.malformed(f"format is {format!r}: expected json or csv")

        def work(job: Job) -> tuple[bytes, str | None]:
            answer = one.answer(asking, asked)
            content = to_csv(answer, one.rows) if wanted == "csv" else to_json(answer)
            if len(content) > state.settings.answer_bytes:
                raise problems.answer_too_large(state.settings.answer_bytes)
            return content, answer.get("next_cursor")

        state.log_query(index, one.name, asked)
        content, cursor = await state.workers.answer(lambda: one.price(asking, asked), work, client_gone(request))
        if wanted == "json":
            return Response(content, media_type="application/json")
        headers = {"Content-Disposition": f'attachment; filename="{one.name}.csv"', **({"X-Next-Cursor": cursor} if cursor else {})}
        return Response(content, media_type=CSV, headers=headers)

    endpoint.__annotations__["asked"] = Annotated[one.asked, Body()]
    return endpoint
