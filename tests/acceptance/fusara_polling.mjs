// The contract's polling pattern (§9.10) with fetch, as a caller in JavaScript writes it:
//   node fusara_polling.mjs BASE KEY
// Prints the statuses in order, then the result as JSON.
const [BASE, API_KEY] = process.argv.slice(2)
const headers = { 'X-API-Key': API_KEY }
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const seen = []

async function waitForCompletion(taskId) {
  while (true) {
    const response = await fetch(`${BASE}/api/integration/imaging/tasks/${taskId}/status`, { headers })
    const { data: statusId } = await response.json()
    seen.push(statusId)
    if (statusId === 100 || statusId === 200) break
    await sleep(50)
  }
  const result = await fetch(`${BASE}/api/integration/imaging/tasks/${taskId}`, { headers })
  return await result.json()
}

const created = await fetch(`${BASE}/api/integration/imaging/generate`, {
  method: 'POST',
  headers: { ...headers, 'Content-Type': 'application/json' },
  body: JSON.stringify({ __type: 4, Prompt: 'a lighthouse', Width: 512, Height: 512, NumberOfInferenceSteps: 2 }),
})
const { data: task } = await created.json()
const result = await waitForCompletion(task.taskId)
const picture = await fetch(result.data.images[0].url)
const bytes = (await picture.arrayBuffer()).byteLength
console.log(JSON.stringify({ seen, result, bytes, type: picture.headers.get('content-type') }))
